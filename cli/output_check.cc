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

// A file that a flag names.
struct FlagFile {
  const std::string& flag;
  const std::string& name;
};

[[noreturn]] void Refuse(const FlagFile& file, const std::string& reason) {
  throw ArgumentError(file.flag + " " + file.name + ": " + reason);
}

void CheckAccess(const FlagFile& file, const std::string& path) {
  if (faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) {
    Refuse(file, path + " cannot be written: " + std::generic_category().message(errno));
  }
}

// New files, and those that replace old ones, are made in it.
void CheckFolder(const FlagFile& file) {
  std::error_code ignored;
  std::filesystem::path folder = std::filesystem::weakly_canonical(file.name, ignored).parent_path();
  if (ignored || folder.empty()) {
    folder = ".";
  }
  if (!std::filesystem::exists(folder, ignored)) {
    Refuse(file, "there is no folder " + folder.string());
  }
  if (!std::filesystem::is_directory(folder, ignored)) {
    Refuse(file, folder.string() + " is not a folder");
  }
  CheckAccess(file, folder.string());
}

}  // namespace

void CheckMayWrite(const std::string& flag, const std::string& file) {
  const FlagFile named{flag, file};
  struct stat status {};
  if (file == "-") {
    return;
  }
  if (stat(file.c_str(), &status) != 0) {
    CheckFolder(named);
    return;
  }
  if (S_ISDIR(status.st_mode)) {
    Refuse(named, "a directory, not a file");
  }
  CheckAccess(named, file);
  if (S_ISREG(status.st_mode)) {
    CheckFolder(named);
  }
}

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
  CheckMayWrite("--output", output);
}

void CheckOutputs(const graph::CheckedGraph& graph, const std::filesystem::path& pipeline,
                  const nodes::ModelFiles& model) {
  nodes::FileUses uses;
  uses.Add(pipeline, "the pipeline");
  nodes::AddModelFiles(model, &uses);
  nodes::CheckOutputs(graph, std::move(uses));
}

}  // namespace percept::cli
