// SPDX-License-Identifier: Apache-2.0
// A graph whose instances of templates come and go: what tests of it share.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph/run/caller_executor.h"
#include "graph/run/simulated_clock.h"
#include "tests/graph/function_node.h"

namespace percept::graph {

// What a source of type source.hand sends, at times since where its timeline begins.
class Hand {
 public:
  // A whole item.
  void Give(const std::string& word, int64_t ms) { Put({word, ms, /*goes_on=*/false}); }
  // The first part of an item of this name; the next word is the second.
  void GivePart(const std::string& word, int64_t ms) { Put({word, ms, /*goes_on=*/true}); }
  void End() {
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
    std::exchange(waker_, {}).Wake();
  }

 private:
  friend class HandSource;
  struct Line {
    std::string word;
    int64_t ms;
    bool goes_on;
  };
  void Put(Line line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
    std::exchange(waker_, {}).Wake();
  }

  std::mutex mutex_;
  std::deque<Line> lines_;
  bool has_ended_ = false;
  Waker waker_;
};

class HandSource : public Node {
 public:
  explicit HandSource(Hand& hand) : hand_(hand) {}
  graph::Process Process(NodeContext& context) override {
    const std::lock_guard lock(hand_.mutex_);
    if (hand_.lines_.empty()) {
      if (hand_.has_ended_) return graph::Process::kFinished;
      hand_.waker_ = context.waker();
      return graph::Process::kBlocked;
    }
    const Hand::Line line = std::move(hand_.lines_.front());
    hand_.lines_.pop_front();
    const Time time = context.start_time() + Duration::Milliseconds(line.ms);
    if (!item_) item_ = context.NewItem(line.word);
    if (line.goes_on) pending_ = context.Hold(item_, time);
    context.Send("out", Packet::Make(Word{line.word, line.word.size()}, time).WithOrigin({.item = item_}));
    if (line.goes_on) return graph::Process::kHaveOutput;
    pending_.Done();
    item_ = nullptr;
    return graph::Process::kHaveOutput;
  }
  void Close() override {
    const std::lock_guard lock(hand_.mutex_);
    hand_.waker_ = {};
  }

 private:
  Hand& hand_;
  ItemRef item_;
  Pending pending_;
};

// Counts the nodes that there are.
class CountedNode : public AppendNode {
 public:
  CountedNode(const std::string& suffix, std::atomic<int>& num_alive) : AppendNode(suffix), num_alive_(num_alive) {
    ++num_alive_;
  }
  ~CountedNode() override { --num_alive_; }

 private:
  std::atomic<int>& num_alive_;
};

inline constexpr const char* kInstancePipeline = R"(percept: 1
templates:
  words:
    params: { hand: { type: string, required: true }, mark: { type: string, default: "" } }
    nodes:
      read: { type: source.hand, hand: "${hand}" }
      add:  { type: word.counted, in: read, suffix: "${mark}" }
    outputs: { words: add }
    feeds: { mix: words }
nodes:
  mix: { type: word.merge }
  out: { type: sink.words, in: mix }
)";

// On the thread of the test.
class InstanceRun {
 public:
  InstanceRun() : registry_(WordRegistry()) {
    services_.Add(recorder_);
    Contract hand = WordSourceContract("source.hand");
    hand.params = {{.name = "hand", .doc = "whose", .required = true}};
    registry_.Register(hand, [this](const ParamValues& params, const Services&) {
      return std::make_unique<HandSource>(hand_of(params.Get<std::string>("hand")));
    });
    Contract counted = WordContract("word.counted", {"in"}, {"out"});
    counted.params = {ParamDecl{.name = "suffix", .doc = "Goes behind."}.Default("")};
    registry_.Register(counted, [this](const ParamValues& params, const Services&) {
      return std::make_unique<CountedNode>(params.Get<std::string>("suffix"), num_alive_);
    });
    Contract merge = WordContract("word.merge", {}, {"out"});
    merge.dynamic_inputs = DynamicInputs{.types = {"Word"}, .doc = "Words.", .grows = true};
    merge.outputs[0].many_per_time = true;
    registry_.Register({.contract = merge,
                        .make = [](const ParamValues&, const Services&) { return std::make_unique<MergeNode>(); },
                        .join = [](const ParamValues&) { return JoinSpec{.need_all = false}; }});
    options_.clock = &clock_;
    options_.keep_open = true;
  }

  ~InstanceRun() {
    if (graph_) graph_->Cancel();
    executor_.RunAll();
  }
  InstanceRun(const InstanceRun&) = delete;
  InstanceRun& operator=(const InstanceRun&) = delete;

  void Start(const std::string& text = kInstancePipeline) {
    const CheckedGraph checked = Check(Bind(ParsePipeline(text, "g.yaml"), {}), registry_);
    graph_ = std::make_unique<Graph>(checked, executor_, services_, options_);
    graph_->Start();
    executor_.RunAll();
  }
  Hand& hand_of(const std::string& name) { return hands_[name]; }
  // An instance of `words` with the hand of its name.
  void Add(const std::string& name, const std::string& mark = "") {
    graph_->Add("words", name, {{{"hand", {name}}, {"mark", {mark}}}, {}, {}});
    executor_.RunAll();
  }
  void Remove(const std::string& name) {
    graph_->Remove(name);
    executor_.RunAll();
  }
  RunResult Drain() {
    graph_->Drain(Duration::Seconds(10));
    executor_.RunAll();
    return graph_->Wait();
  }
  std::vector<std::string> Words() const { return recorder_.Lines("out"); }

  Registry registry_;
  Recorder recorder_;
  Services services_;
  SimulatedClock clock_;
  CallerExecutor executor_;
  GraphOptions options_;
  std::map<std::string, Hand> hands_;
  std::atomic<int> num_alive_{0};  // nodes word.counted
  std::unique_ptr<Graph> graph_;

 private:
  // The words of its inputs, one a call.
  class MergeNode : public Node {
   public:
    graph::Process Process(NodeContext& context) override {
      const InputSet& set = context.inputs();
      if (!set.empty() && words_.empty()) {
        for (const std::string& port : set.ports()) {
          for (const Packet& packet : set.All(port)) words_.push_back(packet);
        }
      }
      context.Send("out", words_.front());
      words_.pop_front();
      return words_.empty() ? graph::Process::kNeedInput : graph::Process::kHaveOutput;
    }

   private:
    std::deque<Packet> words_;
  };
};

template <class Change>
std::string WhyRefused(const Change& change) {
  try {
    change();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

}  // namespace percept::graph
