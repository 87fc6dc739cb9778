// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "graph/node/registry.h"
#include "tests/support/word_payload.h"

// A source that does what its script says, one line a call:
//   read: { type: source.script, script: [ { at: 0, word: a, item: a.png, bytes: 10 }, { at: 40, error: cut short } ] }
// Lines: {at, word} sends a word at so many milliseconds, {at, error} a bad-input error; `item` starts an item first.
// {bound: ms} raises the bound, {throw: text} throws, {block: true} blocks with a Waker that nobody calls, {need_input:
// true} gives an answer that a source may not give.
class ScriptSource : public percept::graph::Node {
 public:
  explicit ScriptSource(percept::graph::Value script) : script_(std::move(script)) {}

  percept::graph::Process Process(percept::graph::NodeContext& context) override {
    using percept::graph::Process;
    if (next_ == script_.items().size()) return Process::kFinished;
    const percept::graph::Value& line = script_.items()[next_++];
    if (const auto* text = line.Find("throw")) throw std::runtime_error(text->scalar());
    if (line.Find("need_input")) return Process::kNeedInput;
    if (line.Find("block")) {
      waker_ = context.waker();
      return Process::kBlocked;
    }
    if (const auto* bound = line.Find("bound")) {
      context.SetBound("out", percept::graph::Time::Milliseconds(std::stoll(bound->scalar())));
      return Process::kHaveOutput;
    }
    Send(context, line);
    return Process::kHaveOutput;
  }

 private:
  static void Send(percept::graph::NodeContext& context, const percept::graph::Value& line) {
    const auto time = percept::graph::Time::Milliseconds(std::stoll(line.Find("at")->scalar()));
    const auto* item = line.Find("item");
    percept::graph::ItemRef started;
    if (item) started = context.NewItem(item->scalar());
    if (const auto* error = line.Find("error")) {
      context.SendError(percept::graph::ErrorKind::kBadInput, error->scalar(), time, started);
      return;
    }
    const auto* bytes = line.Find("bytes");
    Word word{line.Find("word")->scalar(), bytes ? std::stoull(bytes->scalar()) : 1};
    context.Send("out", percept::graph::Packet::Make(std::move(word), time));
  }

  const percept::graph::Value script_;
  size_t next_ = 0;
  percept::graph::Waker waker_;
};

inline void RegisterScriptSource(percept::graph::Registry& registry) {
  using namespace percept::graph;
  Contract contract;
  contract.type = "source.script";
  contract.doc = "Sends what its script says.";
  contract.example = "read: { type: source.script, script: [ { at: 0, word: a } ] }";
  contract.outputs = {{.name = "out", .type = "Word", .doc = "The script's words."}};
  contract.params = {{.name = "script", .type = ParamType::kAny, .doc = "Lines, one a call.", .required = true}};
  contract.source = SourceKind::kBatch;
  registry.Register(contract, [](const ParamValues& params, const Services&) {
    return std::make_unique<ScriptSource>(params.Get<Value>("script"));
  });
}
