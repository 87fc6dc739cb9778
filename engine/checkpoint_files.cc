// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint_files.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "kernels/core/error.h"
#include "kernels/core/quoted.h"
#include "kernels/weights/gguf_header.h"
#include "kernels/weights/mapped_file.h"

namespace percept {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTextArchitecture = "gemma4";
constexpr std::string_view kDrafterArchitecture = "gemma4-assistant";
constexpr std::string_view kMmprojArchitecture = "clip";

bool Exists(const fs::path& file) {
  std::error_code ignored;
  return fs::exists(file, ignored);
}

[[noreturn]] void Fail(const fs::path& path, const std::string& reason) {
  throw CheckpointError(path.string() + ": " + reason);
}

bool IsGguf(const fs::path& file) {
  char magic[4] = {};
  std::ifstream(file, std::ios::binary).read(magic, sizeof(magic));
  return std::string_view(magic, sizeof(magic)) == "GGUF";
}

std::string Architecture(const fs::path& file) {
  const MappedFile mapped(file);
  return std::string(ParseGgufHeader(file, mapped.bytes()).metadata.String("general.architecture"));
}

void RequireMmproj(const fs::path& file) {
  if (!Exists(file)) Fail(file, "no such file");
  if (!IsGguf(file)) Fail(file, "not a GGUF file: the file of the encoders must be one");
  if (const std::string architecture = Architecture(file); architecture != kMmprojArchitecture) {
    Fail(file, "not an mmproj file: its architecture is " + Quoted(architecture) + ", not 'clip'");
  }
}

CheckpointFiles TextFile(const fs::path& file, const fs::path& mmproj) {
  if (!IsGguf(file)) {
    Fail(file,
         "neither a GGUF file nor a folder: expected a GGUF file, or a folder with config.json, tokenizer.json "
         "and model.safetensors");
  }
  if (Architecture(file) == kMmprojArchitecture) {
    Fail(file, "an mmproj file, which has encoders only: the model is the GGUF file that goes with it");
  }
  if (!mmproj.empty()) RequireMmproj(mmproj);
  return {.folder = {}, .text_gguf = file, .mmproj_gguf = mmproj};
}

std::vector<fs::path> GgufFilesOf(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".gguf" && entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// The only one; empty where there is none.
fs::path TheOnly(const std::vector<fs::path>& files, const fs::path& folder, const std::string& kind,
                 const std::string& advice) {
  if (files.size() > 1) {
    Fail(folder, std::to_string(files.size()) + " GGUF files of " + kind + ", " + files[0].filename().string() +
                     " and " + files[1].filename().string() + (files.size() > 2 ? " among them" : "") + ": " + advice);
  }
  return files.empty() ? fs::path() : files.front();
}

CheckpointFiles GgufFolder(const fs::path& folder, const std::vector<fs::path>& files, const fs::path& mmproj) {
  constexpr const char* kAdvice = "name one of them instead of the folder";
  std::vector<fs::path> texts;
  std::vector<fs::path> drafters;
  std::vector<fs::path> mmprojs;
  for (const fs::path& file : files) {
    const std::string architecture = Architecture(file);
    if (architecture == kTextArchitecture) texts.push_back(file);
    if (architecture == kDrafterArchitecture) drafters.push_back(file);
    if (architecture == kMmprojArchitecture) mmprojs.push_back(file);
  }
  const fs::path text = !texts.empty() ? TheOnly(texts, folder, "text decoders", kAdvice)
                                       : TheOnly(drafters, folder, "drafters", kAdvice);
  if (text.empty()) Fail(folder, "none of its GGUF files holds a text decoder (architecture 'gemma4')");
  if (!mmproj.empty()) RequireMmproj(mmproj);
  return {.folder = {},
          .text_gguf = text,
          .mmproj_gguf = !mmproj.empty() ? mmproj : TheOnly(mmprojs, folder, "encoders", "name one of them as mmproj")};
}

}  // namespace

CheckpointFiles FindCheckpointFiles(const fs::path& path, const fs::path& mmproj) {
  constexpr const char* kExpected =
      ": expected a folder with config.json, tokenizer.json and model.safetensors, or a GGUF file";
  if (!Exists(path)) Fail(path, std::string("no such file or folder") + kExpected);
  if (!fs::is_directory(path)) return TextFile(path, mmproj);
  const bool has_safetensors = Exists(path / "model.safetensors") || Exists(path / "model.safetensors.index.json");
  const std::vector<fs::path> gguf_files = GgufFilesOf(path);
  if (!has_safetensors && !gguf_files.empty()) return GgufFolder(path, gguf_files, mmproj);
  if (!Exists(path / "config.json")) Fail(path, std::string("no config.json in this folder") + kExpected);
  if (!mmproj.empty()) {
    Fail(mmproj, "an mmproj file goes with a GGUF file; the model at " + path.string() + " has its own encoders");
  }
  return {.folder = path, .text_gguf = {}, .mmproj_gguf = {}};
}

}  // namespace percept
