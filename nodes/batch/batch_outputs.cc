// SPDX-License-Identifier: Apache-2.0
// What a batch does with the files that its inputs write, and about what stands in their places.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>
#include <tuple>

#include "kernels/core/error.h"
#include "nodes/batch/batch.h"
#include "nodes/batch/written_files.h"
#include "nodes/sink/text_file.h"

namespace percept::nodes {
namespace {

namespace fs = std::filesystem;

// A file that would be lost if it was written over. One that cannot be written is left for the sink to tell.
bool HoldsSomething(const fs::path& file) {
  struct stat found {};
  return stat(file.c_str(), &found) == 0 && S_ISREG(found.st_mode) && found.st_size > 0 &&
         access(file.c_str(), W_OK) == 0;
}

// Where `rows` is gone already, a run that was killed had done it.
void PutInPlace(const fs::path& rows, const fs::path& place) {
  struct stat old {};
  if (stat(place.c_str(), &old) == 0) {
    // Where the file system keeps no modes, nothing is lost.
    std::ignore = chmod(rows.c_str(), old.st_mode & 07777);
  }
  if (std::rename(rows.c_str(), place.c_str()) != 0 && errno != ENOENT) {
    throw Error(place.string() + ": cannot be written: " + std::generic_category().message(errno));
  }
  SyncFolderOf(place);
}

}  // namespace

void Batch::LeaveOutWritten() {
  std::set<std::string> candidates, written;  // by FileKey
  for (const std::string& name : found_.in_folders) {
    candidates.insert(FileKey(name));
  }
  for (const BatchInput& input : journal_->Inputs()) {
    const std::optional<JournalEntry> entry = journal_->Find(input);
    for (const PlannedOutput& output : plan_.FilesOf(input).outputs) {
      const std::string key = FileKey(RowsOf(*entry, output));
      if (candidates.count(key) != 0 && IsAsWritten(*entry, output)) {
        written.insert(key);
      }
      if (RowsOf(*entry, output) != output.file) {
        written.insert(FileKey(output.file));  // the older one that is kept
      }
    }
  }
  std::erase_if(inputs_, [&](const BatchInput& input) {
    return found_.in_folders.count(input.name) != 0 && written.count(FileKey(input.name)) != 0 &&
           !journal_->Find(input);
  });
  if (inputs_.empty()) {
    throw ArgumentError("no inputs but what this batch wrote");
  }
}

FileUses Batch::FilesRead() {
  FileUses uses;
  uses.Add(options_.pipeline_name, "the pipeline");
  if (!options_.list.empty()) {
    uses.Add(options_.list, "the list of inputs");
  }
  AddModelFiles(runtime_.default_files(), &uses);
  plan_.AddReads(inputs_, &uses);
  return uses;
}

void Batch::CheckFiles() {
  FileUses uses = FilesRead();
  const auto write = [&](const fs::path& file, const std::string& flag, const std::string& use) {
    uses.RefuseUsed(file, flag);
    if (FileKey(file) == FileKey(rows_folder_)) {
      throw ArgumentError(flag + " " + file.string() + " is the folder of rows beside the journal");
    }
    uses.Add(file, use);
  };
  write(options_.journal, "--journal", "the journal");
  for (const char* suffix : {"-wal", "-shm"}) {
    write(fs::path(options_.journal) += suffix, "--journal's", "a part of the journal");
  }
  if (!options_.merge.empty() && options_.merge != "-") {
    write(options_.merge, "--merge", "the merged file");
  }
  if (!options_.failed_list.empty()) {
    write(options_.failed_list, "--failed", "the list of inputs that failed");
  }
  plan_.CheckOutputs(inputs_, uses);
}

void Batch::CheckFolders() {
  for (const BatchInput& input : inputs_) {
    const std::optional<JournalEntry> entry = journal_ == nullptr ? std::nullopt : journal_->Find(input);
    const bool is_through = entry && entry->state != JournalState::kStarted;
    for (const PlannedOutput& output : plan_.FilesOf(input).outputs) {
      if (output.file.empty() || output.is_merged_only || (is_through && fs::exists(output.file))) {
        continue;
      }
      if (const std::string reason = WhyUnwritable(output.file); !reason.empty()) {
        throw ArgumentError("the input " + input.name + " would write " + output.file.string() + ": " + reason);
      }
    }
  }
}

bool Batch::KeepsOthers(const BatchInput& input, const JournalEntry& entry) {
  for (const PlannedOutput& output : plan_.FilesOf(input).outputs) {
    if (output.file.empty() || IsAsWritten(entry, output)) {
      continue;
    }
    const std::string reason = RowsOf(entry, output).string() +
                               ": is not what this batch wrote there, and is kept: move it away, and go on with "
                               "--retry-failed";
    const std::vector<graph::ErrorPayload> known = journal_->Failures(entry.id);
    const auto is_it = [&](const graph::ErrorPayload& error) { return error.reason == reason; };
    if (std::none_of(known.begin(), known.end(), is_it)) {
      journal_->Fail(entry.id, {graph::ErrorKind::kNode, input.name, reason, output.node});
    }
    return true;
  }
  return false;
}

void Batch::CutOutputs(const graph::CheckedGraph& checked, const BatchInput& input) {
  const std::optional<JournalEntry> entry = journal_->Find(input);
  for (const PlannedOutput& output : plan_.Outputs(checked)) {
    const auto position = entry->resume.positions.find(output.node);
    if (!output.file.empty() && fs::exists(output.file)) {
      fs::resize_file(output.file, position == entry->resume.positions.end() ? 0 : position->second);
    }
  }
}

fs::path Batch::FreeNameBeside(const fs::path& file) const {
  fs::path name = PartialFile(file);
  std::error_code ignored;
  for (int i = 2; fs::exists(fs::symlink_status(name, ignored)) || plan_.Writes(name); ++i) {
    name = PartialFile(file) += ".";
    name += std::to_string(i);
  }
  return name;
}

fs::path Batch::PlaceOf(const PlannedOutput& output, const std::optional<JournalEntry>& entry) const {
  fs::path rows = entry ? RowsOf(*entry, output) : output.file;
  if (rows != output.file) {
    return rows;
  }
  // What an input wrote before it failed or was interrupted is no answer yet.
  const bool is_own = entry && entry->state != JournalState::kDone && entry->written.count(output.node) != 0;
  return is_own || output.is_merged_only || !HoldsSomething(output.file) ? output.file : FreeNameBeside(output.file);
}

std::vector<std::unique_ptr<OutputClaim>> Batch::WriteInPlaces(const std::optional<JournalEntry>& entry,
                                                               graph::CheckedGraph* checked) const {
  std::vector<std::unique_ptr<OutputClaim>> kept;
  for (const PlannedOutput& output : plan_.Outputs(*checked)) {
    const fs::path place = PlaceOf(output, entry);
    if (place == output.file) {
      continue;
    }
    kept.push_back(runtime_.ClaimOutput(output.file));
    const auto node = std::find_if(checked->nodes.begin(), checked->nodes.end(),
                                   [&](const graph::CheckedNode& one) { return one.name == output.node; });
    node->params.Set("path", place.string(), node->params.PositionOf("path"));
  }
  return kept;
}

void Batch::Settle(const BatchInput& input, bool is_new) {
  const std::optional<JournalEntry> entry = journal_->Find(input);
  if (!entry || entry->state == JournalState::kStarted) {
    return;
  }
  for (const PlannedOutput& output : plan_.FilesOf(input).outputs) {
    const fs::path rows = RowsOf(*entry, output);
    if (rows == output.file) {
      continue;
    }
    if (entry->state == JournalState::kDone) {
      PutInPlace(rows, output.file);
      journal_->Rename(entry->id, output.node, output.file);
      continue;
    }
    std::string what = "not replaced";
    std::error_code ignored;
    if (entry->written.at(output.node).size > 0) {
      what += "; what was written until then is in " + rows.string();
    } else if (fs::file_size(rows, ignored) == 0) {
      fs::remove(rows, ignored);
    }
    if (is_new) {
      NoteOutput(input, output.file, what);
    }
  }
}

bool Batch::HasLostOutput(const BatchInput& input, const JournalEntry& entry, bool may_redo) {
  bool is_lost = false;
  for (const auto& [node, written] : entry.written) {
    struct stat found {};
    const bool is_there = stat(written.file.c_str(), &found) == 0;
    const std::string unreadable = is_there ? WhyUnreadable(written.file) : "";
    if (!is_there || (found.st_size == 0 && written.size > 0)) {
      is_lost = true;
      NoteOutput(input, written.file,
                 std::string(is_there ? "was emptied" : "is gone") +
                     (may_redo ? ": the input is read anew" : ", and the input cannot be read anew"));
    } else if (!unreadable.empty()) {
      NoteOutput(input, written.file, unreadable);
    } else if (!IsAsWritten(entry, {node, written.file})) {
      NoteOutput(input, written.file, "is not what this batch wrote there, and is kept");
    }
  }
  return is_lost && may_redo;
}

void Batch::NoteCutRows(const BatchInput& input, const JournalEntry& entry, const std::vector<PlannedOutput>& outputs) {
  for (const PlannedOutput& output : outputs) {
    const auto written = entry.written.find(output.node);
    const int64_t committed = written == entry.written.end() ? 0 : written->second.size;
    std::error_code error;
    const auto size = static_cast<int64_t>(fs::file_size(output.file, error));
    if (!error && !output.is_merged_only && size > committed) {
      NoteOutput(input, output.file,
                 "cut off: " + std::to_string(size - committed) +
                     " bytes that came after the last commit, by the run that was interrupted or by others");
    }
  }
}

void Batch::NoteOutput(const BatchInput& input, const fs::path& file, const std::string& what) {
  const std::lock_guard lock(mutex_);
  report_.outputs.push_back({input.name, file, what});
}

}  // namespace percept::nodes
