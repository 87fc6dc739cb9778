// SPDX-License-Identifier: Apache-2.0
#include "nodes/batch/batch_inputs.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "kernels/core/error.h"

namespace percept::nodes {
namespace {

namespace fs = std::filesystem;

bool IsHidden(const fs::path& path) { return path.filename().native().starts_with("."); }

// The files in a folder and below, by name; hidden ones left out, and those in `own`.
std::vector<std::string> FilesBelow(const std::string& top, const FileUses& own, std::vector<std::string>* left_out) {
  std::vector<std::string> files;
  std::vector<fs::path> folders = {top};
  while (!folders.empty()) {
    const fs::path folder = std::move(folders.back());
    folders.pop_back();
    std::error_code error, ignored;
    fs::directory_iterator entry(folder, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      if (IsHidden(entry->path())) {
        continue;
      }
      if (!own.UseOf(entry->path()).empty()) {
        left_out->push_back(entry->path().string());
      } else if (fs::is_directory(entry->symlink_status(ignored))) {
        folders.push_back(entry->path());
      } else if (entry->is_regular_file(ignored)) {
        files.push_back(entry->path().string());
      }
    }
    if (error) {
      throw ArgumentError(folder.string() + ": cannot be read: " + error.message());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::vector<BatchInput> FindInputs(const std::vector<std::string>& names, const FileUses& own, BatchPlan* plan,
                                   std::vector<std::string>* left_out) {
  std::vector<BatchInput> inputs;
  std::set<std::string> found;
  bool any_folder = false;
  for (const std::string& name : names) {
    if (name == "-") {
      throw ArgumentError("standard input cannot be an input of a batch: it cannot be read again");
    }
    std::error_code ignored;
    const bool is_folder = fs::is_directory(name, ignored);
    any_folder = any_folder || is_folder;
    for (const std::string& file : is_folder ? FilesBelow(name, own, left_out) : std::vector<std::string>{name}) {
      if (!found.insert(file).second) {
        throw ArgumentError("the input " + file + " is given twice");
      }
      inputs.push_back({file});
    }
  }
  return any_folder ? plan->WithoutOutputs(inputs) : inputs;
}

std::string MarkInput(const BatchInput& input, bool must_be_there, bool hash_whole, FileMark* mark) {
  std::error_code ignored;
  std::string reason = WhyUnreadable(input.name);
  if (!reason.empty() && (must_be_there || fs::exists(fs::symlink_status(input.name, ignored)))) {
    return reason;
  }
  try {
    *mark = MarkFile(input.name, hash_whole);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace percept::nodes
