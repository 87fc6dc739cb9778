// SPDX-License-Identifier: Apache-2.0
#include "nodes/batch/batch.h"

#include <algorithm>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "kernels/core/error.h"
#include "nodes/batch/idle_models.h"
#include "nodes/batch/written_files.h"

namespace percept::nodes {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRowsSuffix = ".rows";

bool IsSink(const graph::CheckedGraph& graph, const std::string& name) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const graph::CheckedNode& node) {
    return node.name == name && node.contract.outputs.empty();
  });
}

std::map<std::string, fs::path> FilesByNode(const std::vector<PlannedOutput>& outputs) {
  std::map<std::string, fs::path> files;
  for (const PlannedOutput& output : outputs) {
    if (!output.file.empty()) {
      files[output.node] = output.file;
    }
  }
  return files;
}

}  // namespace

class Batch::Commits : public graph::CommitSink {
 public:
  Commits(Journal& journal, int64_t id, std::vector<PlannedOutput> outputs)
      : journal_(journal), id_(id), outputs_(std::move(outputs)) {}
  void OnChunk(const graph::ChunkCommit& commit) override {
    journal_.Commit(id_, commit, MarkWritten(outputs_, commit.positions));
  }

 private:
  Journal& journal_;
  const int64_t id_;
  const std::vector<PlannedOutput> outputs_;
};

Batch::Batch(BatchOptions options, Runtime& runtime)
    : options_(std::move(options)),
      rows_folder_(fs::path(options_.journal) += kRowsSuffix),
      runtime_(runtime),
      plan_(graph::ParsePipeline(options_.pipeline_text, options_.pipeline_name), options_.arguments,
            runtime.registry(), options_.merge.empty() ? fs::path() : rows_folder_),
      found_(FindInputs()),
      inputs_(found_.inputs) {
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
  const JournalKey key = MakeKey(first);
  had_journal_ = fs::exists(options_.journal);
  if (had_journal_) {
    FilesRead().RefuseUsed(options_.journal, "--journal");
    OpenJournal(key);
    LeaveOutWritten();
  }
  CheckFiles();
  CheckFolders();
  if (journal_ == nullptr) {
    OpenJournal(key);
  }
  if (AnyToRead()) {
    try {
      // Opens the model, if nothing else: what is wrong with it is no fault of the first input.
      const graph::Graph trial(first, runtime_.executor(), runtime_.services());
    } catch (...) {
      RemoveUnusedJournal();
      throw;
    }
  }
}

Batch::~Batch() = default;

bool Batch::AnyToRead() const {
  return std::any_of(inputs_.begin(), inputs_.end(), [&](const BatchInput& input) {
    const std::optional<JournalEntry> entry = journal_->Find(input);
    const bool is_left = !entry || entry->state == JournalState::kStarted ||
                         (entry->state == JournalState::kFailed && options_.retry_failed);
    return is_left && (!plan_.inputs_are_files() || WhyUnreadable(input.name).empty());
  });
}

FoundInputs Batch::FindInputs() const {
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
  return nodes::FindInputs(options_.inputs, own);
}

JournalKey Batch::MakeKey(const graph::CheckedGraph& first) const {
  std::string parameters;
  for (const auto& [name, texts] : options_.arguments.values) {
    parameters += '\0' + name;
    for (const std::string& text : texts) {
      parameters += '\0' + text;
    }
  }
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
    model_facts += files.drafter.empty() ? "" : HashModel(files.drafter);
  }
  return {options_.pipeline_name,
          {{"other contents", HashText(options_.pipeline_text)},
           {"other parameters", HashText(parameters)},
           {"another mode", runtime_.options().mode == Mode::kExact ? "exact" : "fast"}},
          model_facts.empty() ? "" : HashText(model_facts)};
}

void Batch::OpenJournal(const JournalKey& key) {
  try {
    journal_ = std::make_unique<Journal>(options_.journal, key);
  } catch (const Error& error) {
    throw ArgumentError(error.what());  // nothing was begun
  }
  for (const std::string& name : found_.left_out) {
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

void Batch::RemoveUnusedJournal() {
  const Journal::Counts counts = journal_->counts();
  if (had_journal_ || counts.done + counts.failed + counts.started > 0) {
    return;
  }
  journal_.reset();
  std::error_code ignored;
  fs::remove(options_.journal, ignored);
  fs::remove(rows_folder_, ignored);  // where there is nothing in it
}

BatchReport Batch::Run() {
  if (!options_.merge.empty()) {
    fs::create_directories(rows_folder_);
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
    try {
      Merge();
    } catch (const Error& error) {
      StopWith(error.what());
    }
  }
  RemoveUnusedJournal();
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

Batch::Begin Batch::HowToBegin(const FileMark& now, const std::optional<JournalEntry>& entry) const {
  if (!entry || !entry->mark.Matches(now)) {
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
  std::optional<JournalEntry> entry = journal_->Find(input);
  const bool is_done = entry && entry->state == JournalState::kDone;
  if (entry && entry->state != JournalState::kStarted) {
    Settle(input, /*is_new=*/false);  // where a run was killed before it could
    entry = journal_->Find(input);
  }
  // What is done and can be read no more stays done: read anew, its output would be lost.
  Begin begin = is_done && !unreadable.empty() ? Begin::kNot : HowToBegin(now, entry);
  if (begin == Begin::kNot && is_done && HasLostOutput(input, *entry, unreadable.empty())) {
    begin = Begin::kAnew;
  }
  if (begin == Begin::kNot && is_done) {
    const std::lock_guard lock(mutex_);
    ++report_.num_done_before;
  }
  if (begin != Begin::kNot && (!entry || !KeepsOthers(input, *entry))) {
    graph::CheckedGraph checked = plan_.Graph(input);
    const auto kept = WriteInPlaces(entry, &checked);
    if (!unreadable.empty()) {
      IdleModels(input, unreadable, &checked);
    }
    if (entry && !entry->mark.Matches(now)) {
      Note(&report_.changed, input);
    }
    if (begin == Begin::kResumed && plan_.HasLostRows(checked, entry->resume.positions)) {
      Note(&report_.started_over, input);
      begin = Begin::kAnew;
    }
    graph::GraphOptions options;
    if (begin == Begin::kResumed) {
      options.resume = entry->resume;
    }
    const std::vector<PlannedOutput> outputs = plan_.Outputs(checked);
    if (entry && entry->state == JournalState::kStarted) {
      NoteCutRows(input, *entry, outputs);
    }
    const int64_t id = begin == Begin::kResumed ? entry->id : journal_->Start(input, now, FilesByNode(outputs));
    Commits commits(*journal_, id, outputs);
    options.commits = &commits;
    if (options_.log) options.log = [&](const graph::RunNote& note) { options_.log(input.name, note); };
    if (options_.errors) options.errors = [&](const graph::ErrorPayload& error) { options_.errors(input.name, error); };
    TakeResult(checked, RunGraph(checked, options), id, input);
    if (!unreadable.empty()) {
      FailUnreadable(input, unreadable);
    }
    Settle(input, /*is_new=*/true);
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

}  // namespace percept::nodes
