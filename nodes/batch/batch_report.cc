// SPDX-License-Identifier: Apache-2.0
// What a batch counts while it works, and makes of the work of all its inputs.
#include <algorithm>
#include <fstream>
#include <optional>

#include "kernels/core/error.h"
#include "nodes/batch/batch.h"
#include "nodes/batch/written_files.h"
#include "nodes/sink/text_file.h"

namespace percept::nodes {
namespace {

constexpr size_t kCopyBytes = 1 << 20;

}  // namespace

void Batch::CountThrough(const BatchInput& input) {
  const bool has_failed = journal_->Find(input)->state == JournalState::kFailed;
  const std::lock_guard lock(mutex_);
  ++num_through_;
  num_failed_ += has_failed ? 1 : 0;
  if (options_.on_through) {
    options_.on_through(num_through_, num_failed_);
  }
}

void Batch::CountDrops(const graph::RunResult& result) {
  const std::lock_guard lock(mutex_);
  for (const graph::EdgeCounts& counts : result.edges) {
    for (const auto& [reason, num] : counts.drops) {
      report_.drops[counts.edge + " (" + reason + ")"] += num;
    }
  }
}

void Batch::Merge() {
  graph::ParamValues params;
  params.Set("path", options_.merge.string(), {});
  TextFile merged(params, runtime_);
  const TextFile::Cancelled cancelled = [this] {
    const std::lock_guard lock(mutex_);
    return is_cancelled_;
  };
  merged.Open(std::nullopt, cancelled);
  std::string bytes(kCopyBytes, '\0');
  for (const BatchInput& input : inputs_) {
    const std::optional<JournalEntry> entry = journal_->Find(input);
    for (const PlannedOutput& output : plan_.FilesOf(input).outputs) {
      if (output.node != merged_node_) {
        continue;
      }
      const std::filesystem::path file = RowsOf(*entry, output);
      std::ifstream rows(file, std::ios::binary);
      const auto position = entry->resume.positions.find(output.node);
      const auto written = entry->written.find(output.node);
      if (written != entry->written.end() && written->second.size > 0 &&
          HashStart(file, written->second.size) != written->second.hash) {
        throw Error(file.string() + ": the rows of " + input.name + " are not there any more");
      }
      int64_t left = position == entry->resume.positions.end() ? 0 : position->second;
      while (left > 0) {
        rows.read(bytes.data(), std::min<int64_t>(left, kCopyBytes));
        if (rows.gcount() == 0) {
          throw Error(file.string() + ": the rows of " + input.name + " are not there any more");
        }
        merged.Write(std::string_view(bytes).substr(0, static_cast<size_t>(rows.gcount())), cancelled);
        left -= rows.gcount();
      }
    }
  }
  merged.Finish(/*even_empty=*/report_.failed.empty());
}

void Batch::FillReport() {
  report_.num_inputs = inputs_.size();
  for (const BatchInput& input : inputs_) {
    const std::optional<JournalEntry> entry = journal_->Find(input);
    if (!entry || entry->state == JournalState::kStarted) {
      ++report_.num_left;
    } else if (entry->state == JournalState::kDone) {
      ++report_.num_done;
    } else {
      report_.failed.push_back({input.name, journal_->Failures(entry->id)});
    }
  }
}

}  // namespace percept::nodes
