// SPDX-License-Identifier: Apache-2.0
#include "nodes/batch/batch_inputs.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "kernels/core/error.h"

namespace percept::nodes {
namespace {

namespace fs = std::filesystem;

bool IsHidden(const fs::path& path) { return path.filename().native().starts_with("."); }

// Why what stands in a folder can be no input; "" for a regular file and for what cannot be looked at.
std::string WhyNoInput(const fs::directory_entry& entry) {
  std::error_code ignored;
  switch (entry.status(ignored).type()) {
    case fs::file_type::directory:
      return "is a link to a folder, which is not followed";
    case fs::file_type::fifo:
      return "is a pipe, not a file";
    case fs::file_type::socket:
      return "is a socket, not a file";
    case fs::file_type::block:
    case fs::file_type::character:
      return "is a device, not a file";
    default:
      return "";
  }
}

// The files in a folder and below, by name; hidden ones left out, and those in `own`.
std::vector<std::string> FilesBelow(const std::string& top, const FileUses& own, FoundInputs* found) {
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
        found->left_out.push_back(entry->path().string());
      } else if (fs::is_directory(entry->symlink_status(ignored))) {
        folders.push_back(entry->path());
      } else if (const std::string reason = WhyNoInput(*entry); !reason.empty()) {
        found->warnings.push_back(entry->path().string() + ": left out: " + reason);
      } else {
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

FoundInputs FindInputs(const std::vector<std::string>& names, const FileUses& own) {
  FoundInputs found;
  std::map<fs::path, std::string> known;  // of a file its place, else the name itself
  for (const std::string& name : names) {
    if (name == "-") {
      throw ArgumentError("standard input cannot be an input of a batch: it cannot be read again");
    }
    std::error_code ignored;
    const bool is_folder = fs::is_directory(name, ignored);
    for (const std::string& file : is_folder ? FilesBelow(name, own, &found) : std::vector<std::string>{name}) {
      const bool is_file = fs::exists(file, ignored);
      const auto [first, is_new] =
          known.emplace(is_file ? fs::absolute(file).lexically_normal() : fs::path(file), file);
      if (!is_new) {
        throw ArgumentError(first->second == file
                                ? "the input " + file + " is given twice"
                                : "the inputs " + first->second + " and " + file + " are the same file, given twice");
      }
      found.inputs.push_back({file});
      if (is_folder) {
        found.in_folders.insert(file);
      }
    }
  }
  return found;
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
