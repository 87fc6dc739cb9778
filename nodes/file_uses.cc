// SPDX-License-Identifier: Apache-2.0
#include "nodes/file_uses.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>

#include "kernels/core/error.h"
#include "nodes/sink/text_file.h"

namespace percept::nodes {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> PathsOf(const graph::ParamDecl& decl, const graph::ParamValues& params) {
  if (decl.type != graph::ParamType::kPath || !params.Has(decl.name)) {
    return {};
  }
  return decl.is_list ? params.Get<std::vector<std::string>>(decl.name)
                      : std::vector<std::string>{params.Get<std::string>(decl.name)};
}

std::string WhyNoAccess(const fs::path& path) {
  const bool may_write = faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0;
  return may_write ? "" : path.string() + " cannot be written: " + std::generic_category().message(errno);
}

// New files, and those that replace old ones, are made in the folder.
std::string WhyNotMade(const fs::path& file) {
  std::error_code error, ignored;
  fs::path folder = fs::weakly_canonical(file, error).parent_path();
  if (error || folder.empty()) {
    folder = ".";
  }
  if (!fs::exists(folder, ignored)) {
    return "there is no folder " + folder.string();
  }
  return fs::is_directory(folder, ignored) ? WhyNoAccess(folder) : folder.string() + " is not a folder";
}

}  // namespace

std::string WhyUnwritable(const fs::path& file) {
  struct stat found {};
  if (file == "-") {
    return "";
  }
  if (stat(file.c_str(), &found) != 0) {
    return WhyNotMade(file);
  }
  if (S_ISDIR(found.st_mode)) {
    return "a directory, not a file";
  }
  const std::string reason = WhyNoAccess(file);
  return reason.empty() && S_ISREG(found.st_mode) ? WhyNotMade(file) : reason;
}

std::string FileKey(const fs::path& file) {
  struct stat found {};
  if (stat(file.c_str(), &found) == 0) {
    const bool is_safe = !S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode);
    return is_safe ? "" : std::to_string(found.st_dev) + ":" + std::to_string(found.st_ino);
  }
  return file.empty() ? "" : ReplacedFile(file.string()).value_or("").string();
}

GraphFiles FilesOf(const graph::CheckedGraph& graph) {
  GraphFiles files;
  for (const graph::CheckedNode& node : graph.nodes) {
    const bool writes = node.contract.output != graph::OutputKind::kNone;
    for (const graph::ParamDecl& decl : node.contract.params) {
      for (const std::string& path : PathsOf(decl, node.params)) {
        (writes && decl.name == "path" ? files.written : files.read)
            .push_back({node.name, path, node.params.PositionOf(decl.name)});
      }
    }
  }
  return files;
}

void FileUses::Add(const fs::path& file, const std::string& use) {
  if (!names_.insert(file).second) {
    return;
  }
  uses_.emplace(FileKey(file == "-" ? "/dev/stdin" : file), use);
  std::error_code ignored;
  if (fs::is_directory(file, ignored)) {
    for (const fs::directory_entry& entry : fs::directory_iterator(file, ignored)) {
      uses_.emplace(FileKey(entry.path()), use);
    }
  }
}

std::string FileUses::UseOf(const fs::path& file) const {
  const std::string key = file == "-" ? "" : FileKey(file);
  const auto use = uses_.find(key);
  return key.empty() || use == uses_.end() ? "" : use->second;
}

void FileUses::RefuseUsed(const fs::path& file, const std::string& flag) const {
  if (const std::string use = UseOf(file); !use.empty()) {
    throw ArgumentError(flag + " " + file.string() + " is " + use);
  }
}

void AddModelFiles(const ModelFiles& files, FileUses* uses) {
  uses->Add(files.model, "the model");
  uses->Add(files.mmproj, "the model's encoders");
  uses->Add(files.drafter, "the model's drafter");
}

void CheckOutputs(const graph::CheckedGraph& graph, FileUses uses) {
  const GraphFiles files = FilesOf(graph);
  FileUses outputs;
  for (const NodeFile& read : files.read) {
    uses.Add(read.file, "what '" + read.node + "' reads");
  }
  for (const NodeFile& written : files.written) {
    if (const std::string use = uses.UseOf(written.file); !use.empty()) {
      throw graph::DefinitionError(written.position,
                                   "'" + written.node + "' would write " + written.file.string() + ", which is " + use);
    }
    if (written.file != "-") {
      uses.Add(written.file, "what '" + written.node + "' writes");
      outputs.Add(written.file, "what '" + written.node + "' writes");
    }
  }
  for (const NodeFile& written : files.written) {
    const std::string use = written.file == "-" ? outputs.UseOf("/dev/stdout") : "";
    if (!use.empty()) {
      throw graph::DefinitionError(written.position, "'" + written.node + "' would write standard output, which is " +
                                                         "the file that is " + use);
    }
  }
  for (const NodeFile& written : files.written) {
    const std::optional<fs::path> file = ReplacedFile(written.file.string());
    const fs::path partial = file ? PartialFile(*file) : fs::path();
    if (const std::string use = outputs.UseOf(partial); !use.empty()) {
      throw graph::DefinitionError(written.position, "'" + written.node + "' would keep what it has written in " +
                                                         partial.string() + " if the run fails, which is " + use);
    }
  }
}

}  // namespace percept::nodes
