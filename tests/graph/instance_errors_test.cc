// SPDX-License-Identifier: Apache-2.0
// Instances that cannot be added or removed, and those that are cut off.
#include <future>

#include "tests/graph/instance_run.h"

namespace percept::graph {
namespace {

using testing::ElementsAre;

class InstanceErrorsTest : public testing::Test, protected InstanceRun {
 protected:
  std::string WhyNotAdded(const std::string& template_name, const std::string& name) {
    return WhyRefused([&] { graph_->Add(template_name, name, {{{"hand", {name}}}, {}, {}}); });
  }
  std::string WhyNotRemoved(const std::string& name) {
    return WhyRefused([&] { graph_->Remove(name); });
  }
  static std::vector<std::string> FailedItems(const RunResult& result) {
    std::vector<std::string> items;
    for (const ErrorPayload& error : result.failed_items) {
      items.push_back(error.node + ", " + error.item + ": " + error.reason);
    }
    return items;
  }
};

TEST_F(InstanceErrorsTest, APipelineThatStartsWithoutInputsHasToBeKeptOpen) {
  options_.keep_open = false;
  EXPECT_EQ(WhyRefused([&] { Start(); }),
            "g.yaml:11:3: node 'mix' (word.merge) has no input yet: only a graph that is kept open can start so "
            "(GraphOptions::keep_open)");
  EXPECT_THAT(
      Check(Bind(ParsePipeline(kInstancePipeline, "g.yaml"), {}), registry_).warnings,
      ElementsAre("g.yaml:11:3: node 'mix' (word.merge) has no input before an instance of a template is added: "
                  "only a graph that is kept open can start so"));
}

TEST_F(InstanceErrorsTest, WhatCannotBeAddedChangesNothing) {
  Start();
  Add("north");
  EXPECT_EQ(WhyNotAdded("words", "north"), "'north' cannot be added: there is an instance of this name");
  EXPECT_EQ(WhyNotAdded("wrods", "south"), "south: unknown template 'wrods'; nearest: words");
  EXPECT_EQ(WhyNotAdded("words", "out"), "out: there is a node 'out' already");
  EXPECT_EQ(WhyRefused([&] { graph_->Add("words", "south", {}); }),
            "south: parameter 'hand' (string) is required and was not given (template 'words' at g.yaml:3:3)");
  EXPECT_EQ(num_alive_, 1);
  EXPECT_THAT(graph_->instances(), ElementsAre("north"));
  Add("south");  // the name was not spoiled
  EXPECT_EQ(num_alive_, 2);
}

TEST_F(InstanceErrorsTest, ATemplateHasToFeedANodeThatCanTakeIt) {
  Start(R"(percept: 1
templates:
  lone:
    nodes: { read: { type: source.hand, hand: lone } }
    outputs: { words: read }
  late:
    params: { hand: { type: string } }
    nodes: { read: { type: source.hand, hand: late } }
    outputs: { words: read }
    feeds: { latest: words }
nodes:
  one: { type: source.hand, hand: one }
  two: { type: source.hand, hand: two }
  latest: { type: word.mix, join: latest, in: { a: one, b: two } }
  end: { type: sink.words, in: latest }
)");
  EXPECT_EQ(WhyRefused([&] { graph_->Add("lone", "north", {}); }),
            "g.yaml:3:3: template 'lone' feeds no node: what is added to a running graph says in 'feeds' where its "
            "outputs go (used as 'north')");
  EXPECT_EQ(WhyNotAdded("late", "north"),
            "g.yaml:6:3: template 'late' feeds node 'latest' (word.mix), which joins by 'latest': only settled joins "
            "take inputs while the graph runs (used as 'north')");
}

TEST_F(InstanceErrorsTest, WhatCannotBeRemovedChangesNothing) {
  Start(std::string(kInstancePipeline) + R"(  east: { use: words, hand: east }
  more: { type: word.append, in: east.words }
  end: { type: sink.words, in: more }
)");
  Add("north");
  EXPECT_EQ(WhyNotRemoved("nroth"),
            "'nroth' cannot be removed: there is no instance of a template of this name; nearest: north");
  EXPECT_EQ(WhyNotRemoved("out"), "'out' cannot be removed: it is a node, not an instance of a template");
  EXPECT_EQ(WhyNotRemoved("east"), "'east' cannot be removed: node 'more' (word.append) reads node 'east/add'");
  EXPECT_THAT(graph_->instances(), ElementsAre("east", "north"));
}

TEST_F(InstanceErrorsTest, WhenTheRunTakesNoMore) {
  const CheckedGraph checked = Check(Bind(ParsePipeline(kInstancePipeline, "g.yaml"), {}), registry_);
  graph_ = std::make_unique<Graph>(checked, executor_, services_, options_);
  EXPECT_EQ(WhyNotAdded("words", "north"), "'north' cannot be added: the graph was not started");
  EXPECT_EQ(WhyNotRemoved("north"), "'north' cannot be removed: the graph was not started");
  graph_->Start();
  executor_.RunAll();
  Add("north");
  hand_of("north").GivePart("a", 0);
  executor_.RunAll();
  graph_->Remove("north");
  EXPECT_EQ(WhyNotAdded("words", "north"), "'north' cannot be added: an instance of this name is still being removed");
  graph_->Drain(Duration::Seconds(10));
  EXPECT_EQ(WhyNotAdded("words", "south"), "'south' cannot be added: the graph is draining");
  graph_->Cancel();
  EXPECT_EQ(WhyNotAdded("words", "south"), "'south' cannot be added: the graph is being stopped");
  graph_->Remove("north");  // it goes with all the others
  executor_.RunAll();
  EXPECT_EQ(graph_->Wait().status, RunStatus::kCancelled);
  EXPECT_EQ(WhyNotAdded("words", "south"), "'south' cannot be added: the run is over");
}

TEST_F(InstanceErrorsTest, ANodeThatHasEndedTakesNoMore) {
  options_.keep_open = false;
  Start(std::string(kInstancePipeline) + R"(  east: { use: words, hand: east }
  still: { type: source.hand, hand: still }
  end: { type: sink.words, in: still }
)");
  hand_of("east").End();
  executor_.RunAll();
  EXPECT_EQ(
      WhyNotAdded("words", "north"),
      "'north' cannot be added: node 'mix' (word.merge) has ended, as all its inputs had (GraphOptions::keep_open "
      "keeps it)");
  Remove("east");
  EXPECT_EQ(num_alive_, 0);
}

TEST_F(InstanceErrorsTest, ARunThatIsCommittedKeepsItsNodes) {
  struct NoCommits : CommitSink {
    void OnChunk(const ChunkCommit&) override {}
  } commits;
  options_.commits = &commits;
  Start();
  EXPECT_EQ(WhyNotAdded("words", "north"),
            "'north' cannot be added: the run is committed chunk by chunk, which fixes its nodes");
}

TEST_F(InstanceErrorsTest, HostBytesHoldForAllInstancesTogether) {
  const std::string limits = "limits: { host_bytes: 64KiB }\n";
  std::string text = kInstancePipeline;
  text.insert(text.find("templates"), limits);
  Start(text);
  // Half of it is for what is added, whose edges get as much as if the file had them: a third of the other half.
  EXPECT_EQ(WhyNotAdded("words", "n0"), "");
  EXPECT_EQ(WhyNotAdded("words", "n1"),
            "g.yaml:2:23: host_bytes is 65536 bytes, of which 54960 are taken: 'n1' needs 22076 more");
  executor_.RunAll();
  Remove("n0");
  EXPECT_EQ(WhyNotAdded("words", "n1"), "");
}

TEST_F(InstanceErrorsTest, AnItemThatIsUnderWayComesWhole) {
  Start();
  Add("north");
  hand_of("north").GivePart("a", 0);
  executor_.RunAll();
  Remove("north");
  EXPECT_THAT(graph_->instances(), ElementsAre("north")) << "it has an item under way";
  hand_of("north").Give("b", 10);
  hand_of("north").Give("c", 20);  // a new item: nobody wants it
  executor_.RunAll();
  EXPECT_THAT(Words(), ElementsAre("0s a (a)", "0.01s b (a)"));
  EXPECT_THAT(graph_->instances(), ElementsAre());
  EXPECT_EQ(Drain().num_failed_items, 0u);
}

TEST_F(InstanceErrorsTest, AnItemThatIsCutOffIsReportedByName) {
  Start();
  Add("north");
  Add("south");
  hand_of("south").GivePart("a.png", 0);
  executor_.RunAll();
  graph_->Remove("south", Duration::Seconds(3));
  executor_.RunAll();
  clock_.Advance(Duration::Seconds(2));
  EXPECT_THAT(graph_->instances(), ElementsAre("north", "south"));
  clock_.Advance(Duration::Seconds(1));
  executor_.RunAll();
  hand_of("north").Give("b", 10);
  executor_.RunAll();
  EXPECT_THAT(graph_->instances(), ElementsAre("north"));
  EXPECT_THAT(Words(), ElementsAre("0s a.png (a.png)", "0.01s b (b)"));
  EXPECT_THAT(FailedItems(Drain()), ElementsAre("south/read, a.png: was at work when 'south' was cut off"));
}

// What stands before a node that does not go on is reported, wherever it lies; what is behind it goes through.
TEST_F(InstanceErrorsTest, EverythingThatIsCutOffIsReported) {
  Waker waker;
  NodeFunctions stuck;
  stuck.process = [&](NodeContext& context) {
    if (context.inputs().Get("in").Get<Word>().text != "a") {
      waker = context.waker();
      return Process::kBlocked;
    }
    context.Send("out", context.inputs().Get("in"));
    return Process::kNeedInput;
  };
  RegisterFunctions(registry_, WordContract("word.waits", {"in"}, {"out"}), stuck);
  Start(R"(percept: 1
templates:
  words:
    params: { hand: { type: string, required: true }, mark: { type: string } }
    nodes:
      read: { type: source.hand, hand: "${hand}", in_flight: 9 }
      wait: { type: word.waits, in: { from: read, bytes: 300 } }
    outputs: { words: wait }
    feeds: { mix: words }
nodes:
  mix: { type: word.merge }
  out: { type: sink.words, in: mix }
)");
  Add("north");
  for (const char* word : {"a", "b", "cc", "ddd", "e"}) hand_of("north").Give(word, *word - 'a');
  executor_.RunAll();
  Remove("north");
  clock_.Advance(Duration::Seconds(10));
  executor_.RunAll();
  EXPECT_THAT(graph_->instances(), ElementsAre());
  waker = {};
  EXPECT_THAT(Words(), ElementsAre("0s a (a)"));
  // b is at the node, cc on its edge, ddd staged before it; e was never read.
  EXPECT_THAT(FailedItems(Drain()),
              testing::UnorderedElementsAre("north/wait, b: was at work when 'north' was cut off",
                                            "north/wait, cc: was at work when 'north' was cut off",
                                            "north/read, ddd: was at work when 'north' was cut off"));
}

TEST_F(InstanceErrorsTest, ASourceThatNeverReturnsIsLeftBehindAndTheRestGoesOn) {
  std::promise<void> inside, returns;
  std::shared_future<void> returned = returns.get_future().share();
  bool was_interrupted = false;
  NodeFunctions stuck;
  stuck.process = [&inside, returned](NodeContext& context) {
    context.NewItem("frame 1");
    inside.set_value();
    returned.wait();
    return Process::kHaveOutput;
  };
  stuck.interrupt = [&was_interrupted] { was_interrupted = true; };
  Contract contract = WordSourceContract("source.stuck");
  contract.own_thread = true;
  RegisterFunctions(registry_, contract, stuck);
  std::string text = kInstancePipeline;
  text.replace(text.find("nodes:\n  mix"), 0, R"(  stuck:
    nodes: { read: { type: source.stuck } }
    outputs: { words: read }
    feeds: { mix: words }
)");
  Start(text);
  Add("north");
  graph_->Add("stuck", "south", {});
  executor_.RunAll();
  inside.get_future().wait();
  Remove("south");
  EXPECT_TRUE(was_interrupted);
  clock_.Advance(Duration::Seconds(10));
  executor_.RunAll();
  EXPECT_THAT(graph_->instances(), ElementsAre("north", "south"));
  clock_.Advance(Duration::Seconds(5));
  executor_.RunAll();
  hand_of("north").Give("a", 0);
  executor_.RunAll();
  EXPECT_THAT(graph_->instances(), ElementsAre("north"));
  EXPECT_THAT(Words(), ElementsAre("0s a (a)"));
  const RunResult result = Drain();
  EXPECT_EQ(result.status, RunStatus::kDrained);
  EXPECT_THAT(FailedItems(result),
              ElementsAre("south/read, frame 1: it still waits in its Process 5s after 'south' was cut off; its thread "
                          "is left behind"));
  graph_.reset();
  returns.set_value();
}

}  // namespace
}  // namespace percept::graph
