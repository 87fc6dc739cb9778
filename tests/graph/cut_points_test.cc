// SPDX-License-Identifier: Apache-2.0
// Where sinks and nodes with state are cut at the ends of chunks, and that a run taken up at any of them ends the same.
#include "graph/run/cut_points.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>

#include "tests/graph/function_node.h"
#include "tests/support/executors.h"
#include "tests/support/shuffled_executor.h"

namespace percept::graph {
namespace {

using testing::ElementsAre;
using testing::Pair;
using Files = std::map<std::string, std::vector<std::string>>;

constexpr int kNumWords = 24;

// The lines that the sinks have written: a service.
class Disk {
 public:
  std::vector<std::string>& file(const std::string& name) {
    std::lock_guard lock(mutex_);
    return files_[name];
  }
  Files files_;

 private:
  std::mutex mutex_;
};

class CommitList : public CommitSink {
 public:
  void OnChunk(const ChunkCommit& commit) override {
    if (commit.key == refused_key) throw std::runtime_error("journal full");
    commits.push_back(commit);
  }
  std::vector<ChunkCommit> commits;
  std::string refused_key = "none";
};

// Words 0, 1, ... a millisecond apart, one chunk for each run of `per_chunk`; every ninth is an item that is bad.
class ChunkSource : public Node {
 public:
  ChunkSource(int num_words, int per_chunk) : num_words_(num_words), per_chunk_(per_chunk) {}
  void Open(NodeContext& context) override {
    if (const auto key = context.resume_chunk()) next_ = std::stoi(*key) + 1;
  }
  graph::Process Process(NodeContext& context) override {
    if (next_ == num_words_) return Process::kFinished;
    if (next_ % 7 == 6) context.StartEpoch(Time::Milliseconds(next_));
    const std::string text = std::to_string(next_);
    const ItemRef item = context.NewItem(text);
    if (next_ % 9 == 8) {
      context.SendError(ErrorKind::kBadInput, "torn", Time::Milliseconds(next_), item);
    } else {
      context.Send("out", MakeWord(text, next_));
    }
    if (++next_ % per_chunk_ == 0) context.EndChunk(text);
    return Process::kHaveOutput;
  }

 private:
  const int num_words_, per_chunk_;
  int next_ = 0;
};

// Appends to each word how many it has seen: wrong after a resume that does not give its count back.
class CountNode : public Node {
 public:
  graph::Process Process(NodeContext& context) override {
    const Packet& in = context.inputs().Get("in");
    context.Send("out",
                 MakeWord(in.Get<Word>().text + "#" + std::to_string(num_++), in.timestamp().nanoseconds() / 1000000));
    return Process::kNeedInput;
  }
  std::string SaveState() const override { return std::to_string(num_); }
  void RestoreState(std::string_view state) override { num_ = std::stoi(std::string(state)); }

 private:
  int num_ = 0;
};

class OddFilter : public Node {
 public:
  graph::Process Process(NodeContext& context) override {
    const Packet& in = context.inputs().Get("in");
    if (in.timestamp().nanoseconds() / 1000000 % 6 == 1) context.Send("out", in);
    return Process::kNeedInput;
  }
};

class DiskSink : public Node {
 public:
  void Open(NodeContext& context) override {
    lines_ = &context.services().Get<Disk>().file(context.name());
    if (const auto position = context.committed_position()) lines_->resize(static_cast<size_t>(*position));
  }
  graph::Process Process(NodeContext& context) override {
    if (context.inputs().empty()) return Process::kNeedInput;
    const Packet& packet = *context.inputs().First();
    lines_->push_back(Describe(packet) + " in epoch " + std::to_string(packet.origin().epoch));
    return Process::kNeedInput;
  }
  graph::Process Flush(NodeContext&) override {
    lines_->push_back("end");
    return Process::kFinished;
  }
  int64_t Commit() override { return static_cast<int64_t>(lines_->size()); }

 private:
  std::vector<std::string>* lines_ = nullptr;
};

Registry CutRegistry(int per_chunk) {
  Registry registry = WordRegistry();
  registry.Register(WordSourceContract("source.chunks"), [per_chunk](const ParamValues&, const Services&) {
    return std::make_unique<ChunkSource>(kNumWords, per_chunk);
  });
  Contract count = WordContract("word.count", {"in"}, {"out"});
  count.state_kind = StateKind::kSaved;
  count.state = {.items = 1};
  RegisterWordNode<CountNode>(registry, count);
  RegisterWordNode<OddFilter>(registry, WordContract("word.odd", {"in"}, {"out"}));
  Contract sink = WordContract("sink.disk", {"in"}, {});
  sink.output = OutputKind::kAppended;
  sink.accepts_errors = true;
  RegisterWordNode<DiskSink>(registry, sink);
  return registry;
}

// One source; a filter that drops most, a count, a join of two branches, a branch that ends in an engine.
CheckedGraph Diamond(const Registry& registry, bool with_engine) {
  GraphBuilder builder("test");
  builder.Node("read", "source.chunks");
  builder.Node("count", "word.count").In("read");
  builder.Node("odd", "word.odd").In("read");
  builder.Node("both", "word.join").In("a", "count").In("b", "odd");
  builder.Node("counted", "sink.disk").In("count");
  builder.Node("few", "sink.disk").In("odd");
  builder.Node("joined", "sink.disk").In("both");
  if (with_engine) {
    builder.Node("work", "word.engine").In("count").Set("depth", 3);
    builder.Node("worked", "sink.disk").In("work");
  }
  return builder.Check(registry);
}

// Runs the rest of a graph from a commit, with files and states as they were then.
template <class RunGraph>
void ExpectSameFromEveryCommit(const std::vector<ChunkCommit>& commits, const Files& whole, RunGraph&& run) {
  for (const ChunkCommit& commit : commits) {
    if (commit.is_last) continue;
    SCOPED_TRACE("after chunk " + commit.key);
    Files files = whole;
    for (auto& [name, lines] : files) lines.push_back("written after the commit");
    EXPECT_EQ(run(ResumePoint{commit.key, commit.end, commit.epoch, commit.positions, commit.states}, files), whole);
  }
}

std::vector<std::string> Keys(const std::vector<ChunkCommit>& commits) {
  std::vector<std::string> keys;
  for (const ChunkCommit& commit : commits) keys.push_back(commit.is_last ? "last" : commit.key);
  return keys;
}

class CutPointsTest : public testing::TestWithParam<ExecutorCase> {
 protected:
  RunResult Run(const CheckedGraph& graph, std::optional<ResumePoint> resume, CommitSink* commits) {
    FakeEngine engine(FakeEngine::Pace::kFree);
    Services services;
    services.Add(disk_);
    services.Add(engine);
    services.Add(recorder_);
    GraphOptions options;
    options.commits = commits;
    options.resume = std::move(resume);
    const auto executor = GetParam().make();
    return Graph(graph, *executor, services, options).Run();
  }

  Disk disk_;
  Recorder recorder_;
};

TEST_P(CutPointsTest, ARunTakenUpAtAnyChunkEndsTheSame) {
  for (const int per_chunk : {1, 5}) {
    const Registry registry = CutRegistry(per_chunk);
    const CheckedGraph graph = Diamond(registry, /*with_engine=*/true);
    disk_.files_.clear();
    CommitList list;
    EXPECT_EQ(Run(graph, {}, &list).status, RunStatus::kFinished);
    EXPECT_EQ(list.commits.size(), static_cast<size_t>(kNumWords / per_chunk) + 1);
    const Files whole = disk_.files_;
    ExpectSameFromEveryCommit(list.commits, whole, [&](ResumePoint from, const Files& files) {
      disk_.files_ = files;
      CommitList rest;
      EXPECT_EQ(Run(graph, std::move(from), &rest).status, RunStatus::kFinished);
      EXPECT_TRUE(rest.commits.back().is_last);
      return disk_.files_;
    });
  }
}

TEST_P(CutPointsTest, SinksAreCutBetweenTheLastOfAChunkAndTheFirstOfTheNext) {
  CommitList list;
  Run(Diamond(CutRegistry(6), /*with_engine=*/false), {}, &list);
  EXPECT_THAT(Keys(list.commits), ElementsAre("5", "11", "17", "23", "last"));
  // Six words each; of the filter's one in six, and the errors at 8 and 17, which pass it.
  EXPECT_THAT(list.commits[0].positions, ElementsAre(Pair("counted", 6), Pair("few", 1), Pair("joined", 1)));
  EXPECT_THAT(list.commits[1].positions, ElementsAre(Pair("counted", 12), Pair("few", 3), Pair("joined", 3)));
  EXPECT_THAT(list.commits[3].positions, ElementsAre(Pair("counted", 24), Pair("few", 6), Pair("joined", 6)));
  EXPECT_THAT(list.commits[4].positions, ElementsAre(Pair("counted", 25), Pair("few", 7), Pair("joined", 7)));
  EXPECT_THAT(list.commits[1].states, ElementsAre(Pair("count", "11")));
  EXPECT_EQ(list.commits[0].end, Time::Milliseconds(5).Next());
}

TEST_P(CutPointsTest, ADrainedRunIsNotCommittedAsEnded) {
  Registry registry = CutRegistry(1);
  Graph* graph = nullptr;
  int next = 0;
  NodeFunctions source;
  source.process = [&](NodeContext& context) {
    const std::string text = std::to_string(next);
    context.NewItem(text);
    context.Send("out", MakeWord(text, next));
    if (next % 4 == 3) context.EndChunk(text);
    if (next++ == 9) graph->Drain(Duration::Seconds(3600));
    return Process::kHaveOutput;
  };
  RegisterFunctions(registry, WordSourceContract("source.stopped"), source);
  GraphBuilder builder("test");
  builder.Node("read", "source.stopped");
  builder.Node("out", "sink.disk").In("read");
  Services services;
  services.Add(disk_);
  CommitList list;
  GraphOptions options;
  options.commits = &list;
  const auto executor = GetParam().make();
  Graph run(builder.Check(registry), *executor, services, options);
  graph = &run;
  EXPECT_EQ(run.Run().status, RunStatus::kDrained);
  EXPECT_THAT(Keys(list.commits), ElementsAre("3", "7"));
  EXPECT_THAT(list.commits[1].positions, ElementsAre(Pair("out", 8)));
  EXPECT_EQ(disk_.files_["out"].size(), 11u);  // and what is cut off by a resume: two words, the end
}

TEST_P(CutPointsTest, FailedItemsComeWithTheirChunk) {
  CommitList list;
  EXPECT_EQ(Run(Diamond(CutRegistry(6), /*with_engine=*/true), {}, &list).num_failed_items, 2u);
  std::vector<std::string> failed;
  for (const ChunkCommit& commit : list.commits) {
    for (const ErrorPayload& error : commit.failed_items)
      failed.push_back(commit.key + ": " + error.item + " " + error.reason);
  }
  EXPECT_THAT(failed, ElementsAre("11: 8 torn", "17: 17 torn"));
}

TEST_P(CutPointsTest, WhatTheCommitSinkThrowsFailsTheGraph) {
  CommitList list;
  list.refused_key = "11";
  const RunResult result = Run(Diamond(CutRegistry(6), /*with_engine=*/false), {}, &list);
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_THAT(result.error->message, testing::HasSubstr("failed: journal full"));
  EXPECT_THAT(Keys(list.commits), ElementsAre("5"));
}

TEST_P(CutPointsTest, AGraphOfTwoSourcesIsCommittedAsAWhole) {
  const Registry registry = CutRegistry(1);
  GraphBuilder builder("test");
  builder.Node("one", "source.chunks");
  builder.Node("two", "source.chunks");
  builder.Node("first", "sink.disk").In("one");
  builder.Node("second", "sink.disk").In("two");
  const CheckedGraph graph = builder.Check(registry);
  EXPECT_EQ(WhyUncut(graph), "it has 2 sources");
  CommitList list;
  Run(graph, {}, &list);
  ASSERT_THAT(Keys(list.commits), ElementsAre("last"));
  EXPECT_THAT(list.commits[0].positions, ElementsAre(Pair("first", kNumWords + 1), Pair("second", kNumWords + 1)));
  EXPECT_EQ(list.commits[0].failed_items.size(), 4u);
}

TEST_P(CutPointsTest, ChunksGoOnAfterTheSinkHasSeenAll) {
  Registry registry = CutRegistry(1);
  NodeFunctions first_only;
  first_only.process = [](NodeContext& context) {
    context.Send("out", context.inputs().Get("in"));
    return Process::kFinished;
  };
  RegisterFunctions(registry, WordContract("word.first", {"in"}, {"out"}), first_only);
  GraphBuilder builder("test");
  builder.Node("read", "source.chunks");
  builder.Node("first", "word.first").In("read");
  builder.Node("out", "sink.disk").In("first");
  CommitList list;
  EXPECT_EQ(Run(builder.Check(registry), {}, &list).status, RunStatus::kFinished);
  ASSERT_EQ(list.commits.size(), static_cast<size_t>(kNumWords) + 1);
  for (const ChunkCommit& commit : list.commits) EXPECT_EQ(commit.is_last, &commit == &list.commits.back());
  EXPECT_THAT(list.commits.back().positions, ElementsAre(Pair("out", 2)));
}

// A node that keeps its second word pending until the third has come: it cannot be cut between them.
TEST_P(CutPointsTest, AChunkThatANodeWorksAcrossIsPartOfTheNext) {
  struct Straddling : CountNode {
    graph::Process Process(NodeContext& context) override {
      const std::string text = context.inputs().Get("in").Get<Word>().text;
      if (text == "1") {
        pending = context.Hold();
        return Process::kNeedInput;
      }
      if (text == "2") {
        context.Send("out", MakeWord("1", 1), pending);
        pending.Done();
      }
      return CountNode::Process(context);
    }
    void Close() override { pending.Done(); }
    Pending pending;
  };
  Registry registry = CutRegistry(1);
  Contract contract = WordContract("word.straddle", {"in"}, {"out"});
  contract.state_kind = StateKind::kSaved;
  RegisterWordNode<Straddling>(registry, contract);
  GraphBuilder builder("test");
  builder.Node("read", "source.chunks");
  builder.Node("node", "word.straddle").In("read");
  builder.Node("out", "sink.disk").In("node");
  CommitList list;
  EXPECT_EQ(Run(builder.Check(registry), {}, &list).status, RunStatus::kFinished);
  EXPECT_EQ(list.commits.size(), static_cast<size_t>(kNumWords));  // one less than chunks, and the last
  EXPECT_EQ(list.commits[0].key, "0");
  EXPECT_EQ(list.commits[1].key, "2");
  EXPECT_THAT(list.commits[1].positions, ElementsAre(Pair("out", 3)));
}

// The sink has seen the chunk's end, and waits for input, before the source says that a chunk ended there.
TEST_P(CutPointsTest, ASinkThatWaitsIsCutToo) {
  std::mutex mutex;
  std::condition_variable changed;
  bool committed = false;
  struct Signal : CommitSink {
    std::function<void()> call;
    void OnChunk(const ChunkCommit&) override { call(); }
  } commits;
  Waker waker;
  commits.call = [&] {
    std::lock_guard lock(mutex);
    committed = true;
    std::exchange(waker, {}).Wake();
  };
  Registry registry = CutRegistry(1);
  NodeFunctions functions;
  int step = 0;
  functions.process = [&](NodeContext& context) {
    if (step == 0) context.Send("out", MakeWord("a", 0));
    if (step == 1) context.EndChunk("first");
    if (step++ < 2) return Process::kHaveOutput;
    std::lock_guard lock(mutex);
    if (committed) return Process::kFinished;
    waker = context.waker();
    return Process::kBlocked;
  };
  RegisterFunctions(registry, WordSourceContract("source.test"), functions);
  GraphBuilder builder("test");
  builder.Node("read", "source.test");
  builder.Node("out", "sink.disk").In("read");
  EXPECT_EQ(Run(builder.Check(registry), {}, &commits).status, RunStatus::kFinished);
}

TEST_P(CutPointsTest, AContractThatPromisesACommitIsHeldToIt) {
  Registry registry = CutRegistry(1);
  Contract contract = WordContract("sink.test", {"in"}, {});
  contract.output = OutputKind::kAppended;
  RegisterWordNode<RecordNode>(registry, contract);
  GraphBuilder builder("test");
  builder.Node("read", "source.chunks");
  builder.Node("out", "sink.test").In("read");
  const CheckedGraph graph = builder.Check(registry);
  CommitList list;
  const RunResult result = Run(graph, {}, &list);
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(result.error->message,
            "test: node 'out' (sink.test) failed: its contract says that its output is appended, but it has no Commit");
  EXPECT_EQ(Run(graph, {}, nullptr).status, RunStatus::kFinished);
}

INSTANTIATE_TEST_SUITE_P(Executors, CutPointsTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& test) { return test.param.name; });

TEST(WhyUncutTest, NamesTheNodeThatKeepsWhatIsNotSaved) {
  CheckedGraph graph = Diamond(CutRegistry(1), /*with_engine=*/false);
  EXPECT_EQ(WhyUncut(graph), "");
  graph.nodes[3].join.kind = JoinKind::kLatest;
  EXPECT_EQ(WhyUncut(graph), "node 'both' (word.join) joins its inputs by 'latest': what it keeps is not saved");
  graph.nodes[1].contract.state_kind = StateKind::kRebuild;
  EXPECT_EQ(WhyUncut(graph), "node 'count' (word.count) keeps what is not saved");
}

TEST(CutPointsOrderTest, WhateverRunsFirstTheCutsAreTheSame) {
  const Registry registry = CutRegistry(3);
  const CheckedGraph graph = Diamond(registry, /*with_engine=*/false);
  Files whole;
  for (unsigned seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    ShuffledExecutor executor(seed);
    const auto run = [&](std::optional<ResumePoint> from, CommitList* list, const Files& files) {
      Disk disk;
      disk.files_ = files;
      Services services;
      services.Add(disk);
      GraphOptions options;
      options.commits = list;
      options.resume = std::move(from);
      Graph run_of_it(graph, executor, services, options);
      run_of_it.Start();
      executor.RunAll();
      EXPECT_EQ(run_of_it.Wait().status, RunStatus::kFinished);
      return disk.files_;
    };
    CommitList list;
    const Files files = run({}, &list, {});
    if (seed == 0) whole = files;
    EXPECT_EQ(files, whole);
    ExpectSameFromEveryCommit(list.commits, whole, [&](ResumePoint from, const Files& old) {
      CommitList rest;
      return run(std::move(from), &rest, old);
    });
  }
}

}  // namespace
}  // namespace percept::graph
