// SPDX-License-Identifier: Apache-2.0
#include "cli/output_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "kernels/core/error.h"
#include "nodes/file_uses.h"

namespace percept::cli {
namespace {

[[noreturn]] void Refuse(const std::string& output, const std::string& reason) {
  throw ArgumentError("--output " + output + ": " + reason);
}

void CheckMayWrite(const std::string& output, const std::string& path) {
  if (faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) {
    Refuse(output, path + " cannot be written: " + std::generic_category().message(errno));
  }
}

// New files, and those that replace old ones, are made in it.
void CheckFolder(const std::string& output) {
  std::error_code ignored;
  std::filesystem::path folder = std::filesystem::weakly_canonical(output, ignored).parent_path();
  if (ignored || folder.empty()) {
    folder = ".";
  }
  if (!std::filesystem::exists(folder, ignored)) {
    Refuse(output, "there is no folder " + folder.string());
  }
  if (!std::filesystem::is_directory(folder, ignored)) {
    Refuse(output, folder.string() + " is not a folder");
  }
  CheckMayWrite(output, folder.string());
}

}  // namespace

void CheckOutput(const std::string& output, const std::vector<std::string>& inputs) {
  if (output.empty()) {
    throw ArgumentError("--output: the name of the file is empty");
  }
  if (output == "-") {
    return;
  }
  nodes::FileUses uses;
  for (const std::string& input : inputs) {
    uses.Add(input, "one of the inputs");
  }
  if (const std::string use = uses.UseOf(output); !use.empty()) {
    throw ArgumentError("--output " + output + " is " + use);
  }
  struct stat file {};
  if (stat(output.c_str(), &file) != 0) {
    CheckFolder(output);
    return;
  }
  if (S_ISDIR(file.st_mode)) {
    Refuse(output, "a directory, not a file");
  }
  CheckMayWrite(output, output);
  if (!S_ISREG(file.st_mode)) {
    return;
  }
  CheckFolder(output);
}

void CheckOutputs(const graph::CheckedGraph& graph, const std::filesystem::path& pipeline,
                  const std::filesystem::path& model) {
  nodes::FileUses uses;
  uses.Add(pipeline, "the pipeline");
  uses.Add(model, "the model");
  nodes::CheckOutputs(graph, std::move(uses));
}

}  // namespace percept::cli
