// SPDX-License-Identifier: Apache-2.0
#include "nodes/batch/batch.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "kernels/core/error.h"
#include "nodes/batch/batch_inputs.h"
#include "nodes/file_uses.h"
#include "nodes/sink/text_file.h"

namespace percept::nodes {
namespace {

namespace fs = std::filesystem;

constexpr size_t kCopyBytes = 1 << 20;
constexpr const char* kRowsSuffix = ".rows";

bool IsSink(const graph::CheckedGraph& graph, const std::string& name) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const graph::CheckedNode& node) {
    return node.name == name && node.contract.outputs.empty();
  });
}

}  // namespace

class Batch::Commits : public graph::CommitSink {
 public:
  Commits(Journal& journal, int64_t id) : journal_(journal), id_(id) {}
  void OnChunk(const graph::ChunkCommit& commit) override { journal_.Commit(id_, commit); }

 private:
  Journal& journal_;
  const int64_t id_;
};

Batch::Batch(BatchOptions options, Runtime& runtime)
    : options_(std::move(options)),
      runtime_(runtime),
      plan_(graph::ParsePipeline(options_.pipeline_text, options_.pipeline_name), options_.arguments,
            runtime.registry(), options_.merge.empty() ? fs::path() : fs::path(options_.journal) += kRowsSuffix),
      inputs_(FindInputs()) {
  if (inputs_.empty()) {
    throw ArgumentError("no inputs");
  }
  if (options_.arguments.values.count("input") != 0) {
    throw ArgumentError("a batch gives the parameter 'input' its values itself");
  }
  const graph::CheckedGraph first = plan_.Graph(inputs_.front());
  for (const graph::CheckedNode& node : first.nodes) {
    if (node.contract.source == graph::SourceKind::kLive) {
      throw graph::DefinitionError(node.position, "node '" + node.name + "' (" + node.contract.type +
                                                      ") is a live source: a batch is of inputs that end");
    }
  }
  why_uncut_ = graph::WhyUncut(first);
  if (!options_.merge.empty()) {
    merged_node_ = plan_.MergedNode(first, options_.merge_node);
  }
  CheckFiles();
  OpenJournal(MakeKey(first));
  const Journal::Counts counts = journal_->counts();
  if (options_.retry_failed || static_cast<size_t>(counts.done + counts.failed) < inputs_.size()) {
    // Opens the model, if nothing else: what is wrong with it is no fault of the first input.
    const graph::Graph trial(first, runtime_.executor(), runtime_.services());
  }
}

Batch::~Batch() = default;

std::vector<BatchInput> Batch::FindInputs() {
  FileUses own;
  const fs::path& journal = options_.journal;
  std::vector<fs::path> files = {options_.list,
                                 options_.pipeline_name,
                                 journal,
                                 fs::path(journal) += "-wal",
                                 fs::path(journal) += "-shm",
                                 fs::path(journal) += kRowsSuffix};
  if (options_.resume && fs::exists(journal)) {
    files.insert(files.end(), {options_.merge, options_.failed_list});  // else they are not of this batch yet
  }
  for (const fs::path& file : files) {
    if (!file.empty() && file != "-") {
      own.Add(file, "the batch's own");
    }
  }
  return nodes::FindInputs(options_.inputs, own, &plan_, &left_out_);
}

void Batch::CheckFiles() {
  FileUses uses;
  uses.Add(options_.pipeline_name, "the pipeline");
  if (!options_.list.empty()) {
    uses.Add(options_.list, "the list of inputs");
  }
  uses.Add(runtime_.options().default_model, "the model");
  plan_.AddReads(inputs_, &uses);
  const auto write = [&](const fs::path& file, const std::string& flag, const std::string& use) {
    if (const std::string other = uses.UseOf(file); !other.empty()) {
      throw ArgumentError(flag + " " + file.string() + " is " + other);
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

JournalKey Batch::MakeKey(const graph::CheckedGraph& first) const {
  std::string facts = options_.pipeline_text;
  for (const auto& [name, texts] : options_.arguments.values) {
    facts += '\0' + name;
    for (const std::string& text : texts) {
      facts += '\0' + text;
    }
  }
  facts += runtime_.options().mode == Mode::kExact ? "exact" : "fast";
  std::set<ModelFiles> models;
  for (const graph::CheckedNode& node : first.nodes) {
    if (RunsModel(node.contract)) {
      models.insert(ModelFilesOf(node.params, runtime_.default_files()));
    }
  }
  std::string model_facts;
  for (const ModelFiles& files : models) {
    model_facts += HashModel(files.model);
    model_facts += files.mmproj.empty() ? "" : HashModel(files.mmproj);
  }
  return {options_.pipeline_name, HashText(facts), model_facts.empty() ? "" : HashText(model_facts)};
}

void Batch::OpenJournal(const JournalKey& key) {
  try {
    journal_ = std::make_unique<Journal>(options_.journal, key);
  } catch (const Error& error) {
    throw ArgumentError(error.what());  // nothing was begun
  }
  for (const std::string& name : left_out_) {
    if (journal_->Find({name})) {
      throw ArgumentError(name + " is an input of the earlier run: it cannot be written, or read as something else");
    }
  }
  const Journal::Counts counts = journal_->counts();
  if (!options_.resume && counts.done + counts.failed + counts.started > 0) {
    throw ArgumentError(options_.journal.string() + ": holds what an earlier run did (" + std::to_string(counts.done) +
                        " done, " + std::to_string(counts.failed) + " failed, " + std::to_string(counts.started) +
                        " begun): add --resume to go on from there, name another with --journal, or remove it to "
                        "start anew");
  }
}

BatchReport Batch::Run() {
  if (!options_.merge.empty()) {
    fs::create_directories(fs::path(options_.journal) += kRowsSuffix);
  }
  std::vector<std::thread> jobs;
  for (int i = 0; i < options_.num_jobs; ++i) {
    jobs.emplace_back([this] { Work(); });
  }
  for (std::thread& job : jobs) {
    job.join();
  }
  FillReport();
  if (!options_.merge.empty() && report_.num_left == 0) {
    Merge();
  }
  return report_;
}

void Batch::Work() {
  while (!stopping_.load()) {
    const size_t idx = next_input_.fetch_add(1);
    if (idx >= inputs_.size()) {
      return;
    }
    try {
      RunInput(inputs_[idx]);
    } catch (const std::exception& error) {
      StopWith(error.what());
    }
  }
}

void Batch::Note(std::vector<std::string>* names, const BatchInput& input) {
  const std::lock_guard lock(mutex_);
  names->push_back(input.name);
}

Batch::Begin Batch::HowToBegin(const BatchInput& input, const FileMark& now, const std::optional<JournalEntry>& entry) {
  if (!entry) {
    return Begin::kAnew;
  }
  if (!entry->mark.Matches(now)) {
    Note(&report_.changed, input);
    return Begin::kAnew;
  }
  switch (entry->state) {
    case JournalState::kDone:
      return Begin::kNot;
    case JournalState::kFailed:
      return options_.retry_failed ? Begin::kAnew : Begin::kNot;
    case JournalState::kStarted:
      break;
  }
  return entry->num_chunks > 0 ? Begin::kResumed : Begin::kAnew;
}

void Batch::RunInput(const BatchInput& input) {
  FileMark now;
  const std::string unreadable = MarkInput(input, plan_.inputs_are_files(), options_.verify_whole, &now);
  const std::optional<JournalEntry> entry = journal_->Find(input);
  const bool is_done = entry && entry->state == JournalState::kDone;
  // What is done and can be read no more stays done: read anew, its output would be lost.
  Begin begin = is_done && !unreadable.empty() ? Begin::kNot : HowToBegin(input, now, entry);
  if (begin == Begin::kNot && is_done) {
    const std::lock_guard lock(mutex_);
    ++report_.num_done_before;
  }
  if (begin != Begin::kNot) {
    const graph::CheckedGraph checked = plan_.Graph(input);
    if (begin == Begin::kResumed && plan_.HasLostRows(checked, entry->resume.positions)) {
      Note(&report_.started_over, input);
      begin = Begin::kAnew;
    }
    graph::GraphOptions options;
    if (begin == Begin::kResumed) {
      options.resume = entry->resume;
    }
    const int64_t id = begin == Begin::kResumed ? entry->id : journal_->Start(input, now);
    Commits commits(*journal_, id);
    options.commits = &commits;
    if (options_.log) options.log = [&](const graph::RunNote& note) { options_.log(input.name, note); };
    if (options_.errors) options.errors = [&](const graph::ErrorPayload& error) { options_.errors(input.name, error); };
    TakeResult(checked, RunGraph(checked, options), id, input);
    if (!unreadable.empty()) {
      FailUnreadable(input, unreadable);
    }
  }
  CountThrough(input);
}

// Its own source says so too, with an error record at its place, unless no node reads it.
void Batch::FailUnreadable(const BatchInput& input, const std::string& reason) {
  const std::optional<JournalEntry> entry = journal_->Find(input);
  if (entry->state == JournalState::kDone) {
    journal_->Fail(entry->id, {graph::ErrorKind::kBadInput, input.name, reason, ""});
  }
}

void Batch::CountThrough(const BatchInput& input) {
  const bool has_failed = journal_->Find(input)->state == JournalState::kFailed;
  const std::lock_guard lock(mutex_);
  ++num_through_;
  num_failed_ += has_failed ? 1 : 0;
  if (options_.on_through) {
    options_.on_through(num_through_, num_failed_);
  }
}

graph::RunResult Batch::RunGraph(const graph::CheckedGraph& checked, graph::GraphOptions options) {
  graph::Graph graph(checked, runtime_.executor(), runtime_.services(), std::move(options));
  {
    const std::lock_guard lock(mutex_);
    if (is_cancelled_) {
      graph::RunResult cancelled;
      cancelled.status = graph::RunStatus::kCancelled;
      return cancelled;
    }
    running_.insert(&graph);
    graph.Start();
  }
  graph::RunResult result = graph.Wait();
  const std::lock_guard lock(mutex_);
  running_.erase(&graph);
  return result;
}

void Batch::TakeResult(const graph::CheckedGraph& checked, const graph::RunResult& result, int64_t id,
                       const BatchInput& input) {
  CountDrops(result);
  if (result.status == graph::RunStatus::kFinished) {
    for (const graph::NodeCounts& counts : result.nodes) {
      if (counts.unmatched > 0) {
        journal_->Fail(
            id, {graph::ErrorKind::kNode, input.name,
                 std::to_string(counts.unmatched) + " sets were not run because an input was missing", counts.node});
      }
    }
  } else if (result.status == graph::RunStatus::kFailed && IsSink(checked, result.error->node)) {
    StopWith(input.name + ": " + result.error->message);
  } else if (result.status == graph::RunStatus::kFailed) {
    CutOutputs(checked, input);
    journal_->Fail(id, {graph::ErrorKind::kNode, input.name, result.error->message, result.error->node});
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

void Batch::CutOutputs(const graph::CheckedGraph& checked, const BatchInput& input) {
  const std::optional<JournalEntry> entry = journal_->Find(input);
  for (const PlannedOutput& output : plan_.Outputs(checked)) {
    const auto position = entry->resume.positions.find(output.node);
    if (!output.file.empty() && fs::exists(output.file)) {
      fs::resize_file(output.file, position == entry->resume.positions.end() ? 0 : position->second);
    }
  }
}

void Batch::StopWith(const std::string& reason) {
  const std::lock_guard lock(mutex_);
  stopping_.store(true);
  if (report_.stop_reason.empty()) {
    report_.stop_reason = reason;
  }
}

void Batch::Cancel() {
  const std::lock_guard lock(mutex_);
  stopping_.store(true);
  is_cancelled_ = true;
  for (graph::Graph* graph : running_) {
    graph->Cancel();
  }
}

void Batch::Merge() {
  graph::ParamValues params;
  params.Set("path", options_.merge.string(), {});
  TextFile merged(params, runtime_);
  merged.Open(std::nullopt);
  std::string bytes(kCopyBytes, '\0');
  for (const BatchInput& input : inputs_) {
    const std::optional<JournalEntry> entry = journal_->Find(input);
    for (const PlannedOutput& output : plan_.FilesOf(input).outputs) {
      if (output.node != merged_node_) {
        continue;
      }
      std::ifstream rows(output.file, std::ios::binary);
      const auto position = entry->resume.positions.find(output.node);
      int64_t left = position == entry->resume.positions.end() ? 0 : position->second;
      while (left > 0) {
        rows.read(bytes.data(), std::min<int64_t>(left, kCopyBytes));
        if (rows.gcount() == 0) {
          throw Error(output.file.string() + ": the rows of " + input.name + " are not there any more");
        }
        merged.Write(std::string_view(bytes).substr(0, static_cast<size_t>(rows.gcount())));
        left -= rows.gcount();
      }
    }
  }
  merged.Finish();
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
