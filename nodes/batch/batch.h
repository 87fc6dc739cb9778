// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "graph/config/pipeline.h"
#include "graph/run/cut_points.h"
#include "graph/run/graph.h"
#include "nodes/batch/batch_inputs.h"
#include "nodes/batch/batch_plan.h"
#include "nodes/batch/journal.h"
#include "nodes/file_uses.h"
#include "nodes/runtime.h"

namespace percept::nodes {

struct BatchOptions {
  std::string pipeline_text;
  std::string pipeline_name;  // its file
  // Of the pipeline's parameters but `input`. The texts may use ${input} and its stem, dir and page.
  graph::Arguments arguments;
  // Files; a folder stands for those in it and below, but what the batch itself reads or, as the journal tells, wrote
  // before; what else the pipeline takes.
  std::vector<std::string> inputs;
  // Files of the caller's own, "": none: where the inputs were named, and one to write when the batch is over. Nothing
  // else is written there.
  std::filesystem::path list, failed_list;
  std::filesystem::path journal;
  bool resume = false;        // go on where the journal ends; without it, a journal of work done is refused
  bool retry_failed = false;  // with `resume`: inputs in quarantine are begun anew
  bool verify_whole = false;  // tell by all of its content whether an input has changed
  int num_jobs = 2;           // graphs at once
  // "": none; else what a file sink of the pipeline wrote for each input, in the order of the inputs, once none is
  // left. Then sinks may also have the path "-": their rows are kept beside the journal.
  std::filesystem::path merge;
  std::string merge_node;  // that sink; "" where the pipeline has only one
  // As GraphOptions::log and errors, with the input's name; those of different inputs may be called at once.
  std::function<void(const std::string& input, const graph::RunNote& note)> log;
  std::function<void(const std::string& input, const graph::ErrorPayload& error)> errors;
  // Told when inputs are through; any thread, may be empty.
  std::function<void(size_t num_through, size_t num_failed)> on_through;
};

struct FailedInput {
  std::string name;
  std::vector<graph::ErrorPayload> errors;  // its failed items, or what stopped its graph
};

// What was found, or done, about an output.
struct OutputNote {
  std::string input;
  std::filesystem::path file;
  std::string what;
};

struct BatchReport {
  size_t num_inputs = 0;
  size_t num_done = 0;                    // without a fault, those of earlier runs included
  size_t num_done_before = 0;             // of those, by earlier runs
  size_t num_left = 0;                    // not begun or not finished
  std::vector<FailedInput> failed;        // in quarantine, those of earlier runs included; in the order of the inputs
  std::vector<std::string> changed;       // read anew because they are not what they were
  std::vector<std::string> started_over;  // begun, and read anew because less stands in an output than was committed
  std::vector<OutputNote> outputs;        // what one would not expect of them
  std::map<std::string, uint64_t> drops;  // packets that edges dropped in this run, by "EDGE (reason)"
  std::string stop_reason;                // of an error that ended the batch or the merging; "" where none did
};

// One graph per input on one Runtime, several at once. What is finished stands in a journal, chunk by chunk, so that a
// batch that was interrupted in any way goes on from there and ends with the same files.
//
// An input whose items failed, or whose graph was stopped by a node, is in quarantine and the others go on. An output
// or a journal that cannot be written ends the batch.
//
// An older file in the place of an output stays there until its input is done: until then the input writes beside it
// (PartialFile, or the first free name after that), and where it fails, that is where its rows stay.
class Batch {
 public:
  // Nothing has been written when it throws: ArgumentError or DefinitionError, as what is wrong.
  Batch(BatchOptions options, Runtime& runtime);
  ~Batch();

  // As graph::WhyUncut: why an input that was interrupted starts over, "" where it goes on from its last chunk.
  const std::string& why_uncut() const { return why_uncut_; }
  size_t num_inputs() const { return inputs_.size(); }
  // There was a journal to go on from, or to be refused.
  bool had_journal() const { return had_journal_; }
  // What in the folders was left out, by name, and why.
  const std::vector<std::string>& warnings() const { return found_.warnings; }

  // Until all is done, or Stop or Cancel was called. Once.
  BatchReport Run();
  // Begins no further input; those under way are finished. Any thread.
  void Stop() { stopping_.store(true); }
  // Ends those under way too. Any thread.
  void Cancel();

 private:
  class Commits;
  enum class Begin { kNot, kAnew, kResumed };

  FoundInputs FindInputs() const;
  // Files found in folders are no inputs where the journal says that this batch wrote them.
  void LeaveOutWritten();
  FileUses FilesRead();
  // Refuses what would write over a file that the batch reads, or that another part of it writes.
  void CheckFiles();
  // Refuses outputs of inputs still to be read that could not be written.
  void CheckFolders();
  JournalKey MakeKey(const graph::CheckedGraph& first) const;
  void OpenJournal(const JournalKey& key);
  // Some input is left that can be read.
  bool AnyToRead() const;
  // A journal that this batch made and in which nothing was begun would refuse other arguments.
  void RemoveUnusedJournal();
  void Work();
  void RunInput(const BatchInput& input);
  // Something else stands where the input would write anew: then it goes into quarantine.
  bool KeepsOthers(const BatchInput& input, const JournalEntry& entry);
  // Where the input writes: an older file is kept.
  std::filesystem::path PlaceOf(const PlannedOutput& output, const std::optional<JournalEntry>& entry) const;
  std::filesystem::path FreeNameBeside(const std::filesystem::path& file) const;
  // Has the graph write there. Returns the claims of the files that are kept until then.
  std::vector<std::unique_ptr<OutputClaim>> WriteInPlaces(const std::optional<JournalEntry>& entry,
                                                          graph::CheckedGraph* checked) const;
  // What an input that is done has written beside an older file takes its place; of one that failed it stays there,
  // unless it is empty, and where that `is_new` it is noted.
  void Settle(const BatchInput& input, bool is_new);
  // Notes what has become of the outputs of an input that is done; whether it must be read anew for one that is gone.
  bool HasLostOutput(const BatchInput& input, const JournalEntry& entry, bool may_redo);
  // Before an input that was begun goes on, or begins anew: notes what its outputs have beyond the last commit.
  void NoteCutRows(const BatchInput& input, const JournalEntry& entry, const std::vector<PlannedOutput>& outputs);
  void NoteOutput(const BatchInput& input, const std::filesystem::path& file, const std::string& what);
  Begin HowToBegin(const FileMark& now, const std::optional<JournalEntry>& entry) const;
  void FailUnreadable(const BatchInput& input, const std::string& reason);
  void Note(std::vector<std::string>* names, const BatchInput& input);
  graph::RunResult RunGraph(const graph::CheckedGraph& checked, graph::GraphOptions options);
  void TakeResult(const graph::CheckedGraph& checked, const graph::RunResult& result, int64_t id,
                  const BatchInput& input);
  void CountDrops(const graph::RunResult& result);
  void CutOutputs(const graph::CheckedGraph& checked, const BatchInput& input);
  void StopWith(const std::string& reason);
  void CountThrough(const BatchInput& input);
  void Merge();
  void FillReport();

  const BatchOptions options_;
  const std::filesystem::path rows_folder_;
  Runtime& runtime_;
  BatchPlan plan_;
  const FoundInputs found_;
  std::vector<BatchInput> inputs_;
  std::string merged_node_, why_uncut_;
  std::unique_ptr<Journal> journal_;
  bool had_journal_ = false;
  std::atomic<bool> stopping_{false};
  std::atomic<size_t> next_input_{0};

  std::mutex mutex_;
  std::set<graph::Graph*> running_;
  bool is_cancelled_ = false;
  size_t num_through_ = 0, num_failed_ = 0;
  BatchReport report_;
};

}  // namespace percept::nodes
