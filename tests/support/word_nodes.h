// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <stdexcept>
#include <string>

#include "graph/node/registry.h"
#include "tests/support/fake_engine.h"
#include "tests/support/script_source.h"
#include "tests/support/word_payload.h"

// Small nodes for graph tests, all over Word packets.

// Appends a suffix; on the word `bad` it throws BadInputError, on the word `broken` something else.
class AppendNode : public percept::graph::Node {
 public:
  explicit AppendNode(std::string suffix) : suffix_(std::move(suffix)) {}
  percept::graph::Process Process(percept::graph::NodeContext& context) override {
    const percept::graph::Packet& in = context.inputs().Get("in");
    const Word& word = in.Get<Word>();
    if (word.text == "bad") throw percept::graph::BadInputError("bad word");
    if (word.text == "broken") throw std::runtime_error("broken word");
    context.Send("out", percept::graph::Packet::Make(Word{word.text + suffix_, word.bytes}, in.timestamp()));
    return percept::graph::Process::kNeedInput;
  }

 private:
  const std::string suffix_;
};

// Joins the words of all its inputs, in port order, with `+`; a missing optional one is `-`.
class JoinNode : public percept::graph::Node {
 public:
  percept::graph::Process Process(percept::graph::NodeContext& context) override {
    std::string text;
    for (const std::string& port : context.inputs().ports()) {
      std::string words;
      for (const percept::graph::Packet& packet : context.inputs().All(port)) words += packet.Get<Word>().text;
      text += (text.empty() ? "" : "+") + words;
    }
    context.Send("out", percept::graph::Packet::Make(Word{text, text.size()}, context.inputs().time()));
    return percept::graph::Process::kNeedInput;
  }
};

// Sends words that begin with `a` on `a`, others on `other`.
class SplitNode : public percept::graph::Node {
 public:
  percept::graph::Process Process(percept::graph::NodeContext& context) override {
    const percept::graph::Packet& in = context.inputs().Get("in");
    context.Send(in.Get<Word>().text.substr(0, 1) == "a" ? "a" : "other", in);
    return percept::graph::Process::kNeedInput;
  }
};

// Sends a word letter by letter on `delta`, one a call, and then whole on `record`.
class SpellNode : public percept::graph::Node {
 public:
  percept::graph::Process Process(percept::graph::NodeContext& context) override {
    const percept::graph::Packet& in = context.inputs().Get("in");
    const std::string& text = in.Get<Word>().text;
    if (next_ < text.size()) {
      context.Send("delta", percept::graph::Packet::Make(Word{text.substr(next_++, 1), 1}, in.timestamp()));
      return percept::graph::Process::kHaveOutput;
    }
    next_ = 0;
    context.Send("record", in);
    return percept::graph::Process::kNeedInput;
  }

 private:
  size_t next_ = 0;
};

// Gives each word to the FakeEngine and sends it on, in order, when it comes back; takes up to `depth` at once.
class EngineNode : public percept::graph::Node {
 public:
  explicit EngineNode(size_t depth) : depth_(depth) {}
  percept::graph::Process Process(percept::graph::NodeContext& context) override {
    using percept::graph::Process;
    while (!jobs_.empty() && jobs_.front().work->IsDone() && context.CanSend("out")) {
      Job job = std::move(jobs_.front());
      jobs_.pop_front();
      context.Send("out", percept::graph::Packet::Make(Word{job.work->text, 1}, job.pending.time()), job.pending);
    }
    if (!jobs_.empty() && jobs_.front().work->IsDone()) return Process::kHaveOutput;
    if (context.inputs().empty()) return Process::kNeedInput;
    if (jobs_.size() == depth_) return Process::kBlocked;
    const std::string text = context.inputs().Get("in").Get<Word>().text;
    percept::graph::Pending pending = context.Hold();
    jobs_.push_back({std::move(pending), context.services().Get<FakeEngine>().Submit(text, context.waker())});
    return Process::kNeedInput;
  }
  void Close() override { jobs_.clear(); }

 private:
  struct Job {
    percept::graph::Pending pending;
    std::shared_ptr<FakeEngine::Work> work;
  };
  const size_t depth_;
  std::deque<Job> jobs_;
};

// Sends nothing until the end, then all its words as one, a second after the last.
class CollectNode : public percept::graph::Node {
 public:
  percept::graph::Process Process(percept::graph::NodeContext& context) override {
    text_ += context.inputs().Get("in").Get<Word>().text;
    last_ = context.inputs().time();
    return percept::graph::Process::kNeedInput;
  }
  percept::graph::Process Flush(percept::graph::NodeContext& context) override {
    if (last_ != percept::graph::Time::Unset()) {
      context.Send("out",
                   percept::graph::Packet::Make(Word{text_, 1}, last_ + percept::graph::Duration::Milliseconds(1000)));
    }
    return percept::graph::Process::kFinished;
  }

 private:
  std::string text_;
  percept::graph::Time last_;
};

// Answers kBlocked although nobody holds its Waker.
class StuckNode : public percept::graph::Node {
 public:
  percept::graph::Process Process(percept::graph::NodeContext&) override { return percept::graph::Process::kBlocked; }
};

// Writes every packet to the Recorder.
class RecordNode : public percept::graph::Node {
 public:
  void Open(percept::graph::NodeContext& context) override { recorder_ = &context.services().Get<Recorder>(); }
  percept::graph::Process Process(percept::graph::NodeContext& context) override {
    recorder_->Add(context.name(), Describe(context.inputs().Get("in")));
    return percept::graph::Process::kNeedInput;
  }

 private:
  Recorder* recorder_ = nullptr;
};

inline percept::graph::Contract WordContract(const std::string& type, const std::vector<std::string>& inputs,
                                             const std::vector<std::string>& outputs) {
  percept::graph::Contract contract;
  contract.type = type;
  contract.doc = "A node for tests.";
  contract.example = "node: { type: " + type + " }";
  for (const std::string& name : inputs) contract.inputs.push_back({name, {"Word"}, "Words.", true});
  for (const std::string& name : outputs) contract.outputs.push_back({name, "Word", "Words.", false});
  return contract;
}

template <class T>
void RegisterWordNode(percept::graph::Registry& registry, const percept::graph::Contract& contract) {
  registry.Register(contract, [](const percept::graph::ParamValues&, const percept::graph::Services&) {
    return std::make_unique<T>();
  });
}

inline percept::graph::Registry WordRegistry() {
  using namespace percept::graph;
  Registry registry;
  RegisterScriptSource(registry);
  Contract append = WordContract("word.append", {"in"}, {"out"});
  append.params = {
      ParamDecl{.name = "suffix", .type = ParamType::kString, .doc = "Goes behind."}.Default(""),
      ParamDecl{.name = "count", .type = ParamType::kInt, .doc = "A number.", .min = 1, .max = 9},
      ParamDecl{.name = "mode", .type = ParamType::kEnum, .doc = "A choice.", .values = {"fast", "exact"}}};
  registry.Register(append, [](const ParamValues& params, const Services&) {
    return std::make_unique<AppendNode>(params.Get<std::string>("suffix"));
  });
  RegisterWordNode<JoinNode>(registry, WordContract("word.join", {"a", "b"}, {"out"}));
  Contract any = WordContract("word.join_any", {}, {"out"});
  any.dynamic_inputs = DynamicInputs{{"Word"}, "Words.", "in"};
  RegisterWordNode<JoinNode>(registry, any);
  any.type = "word.mix";  // takes more inputs while the graph runs
  any.dynamic_inputs->grows = true;
  RegisterWordNode<JoinNode>(registry, any);
  RegisterWordNode<SplitNode>(registry, WordContract("word.split", {"in"}, {"a", "other"}));
  Contract spell = WordContract("word.spell", {"in"}, {"delta", "record"});
  spell.outputs[0].many_per_time = true;
  RegisterWordNode<SpellNode>(registry, spell);
  Contract engine = WordContract("word.engine", {"in"}, {"out"});
  engine.params = {ParamDecl{.name = "depth", .type = ParamType::kInt, .doc = "Words at once.", .min = 1}.Default("2")};
  registry.Register(engine, [](const ParamValues& params, const Services&) {
    return std::make_unique<EngineNode>(static_cast<size_t>(params.Get<int64_t>("depth")));
  });
  RegisterWordNode<CollectNode>(registry, WordContract("word.collect", {"in"}, {"out"}));
  RegisterWordNode<StuckNode>(registry, WordContract("word.stuck", {"in"}, {"out"}));
  Contract numbers = WordContract("sink.numbers", {"in"}, {});
  numbers.inputs[0].types = {"Number"};
  RegisterWordNode<RecordNode>(registry, numbers);
  RegisterWordNode<RecordNode>(registry, WordContract("sink.words", {"in"}, {}));
  Contract record = WordContract("sink.record", {"in"}, {});
  record.accepts_errors = true;
  record.inputs[0].types = {};
  RegisterWordNode<RecordNode>(registry, record);
  return registry;
}
