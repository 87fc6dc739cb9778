// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "graph/config/checked_graph.h"
#include "graph/node/registry.h"
#include "graph/node/services.h"
#include "graph/packet/packet.h"
#include "graph/run/run_result.h"

namespace percept::graph {

// Runs one node, written as in a pipeline, and nothing else: a test feeds its inputs and looks at its outputs. All on
// the caller's thread, under a clock that stands still until Advance: the same every time.
//   NodeHarness pick(registry, "pick: { type: flow.sample, in: clip.video, every: 2s }", {{"clip.video", "Text"}});
//   pick.Push("in", Packet::Make(Text{"a"}, Time::Milliseconds(40)));
//   std::vector<Packet> out = pick.Take("out");
//   RunResult result = pick.Finish();
// Every function that feeds something lets the node run until it waits; what did not fit on its edges yet is kept and
// fed later. Not for sources with a thread of their own.
class NodeHarness {
 public:
  // `payloads`: the type of each output that the node's inputs refer to, as the text writes it. Throws DefinitionError
  // as a pipeline would, with positions in "node.yaml"; std::logic_error where `payloads` lacks a reference.
  NodeHarness(const Registry& registry, const std::string& node_yaml,
              const std::map<std::string, TypeName>& payloads = {}, Services services = {});
  // Cancels.
  ~NodeHarness();
  NodeHarness(const NodeHarness&) = delete;
  NodeHarness& operator=(const NodeHarness&) = delete;

  // The node as checked: its ports with their types, its parameters.
  const CheckedNode& node() const;

  // A packet for an input, as its source would send it: in the order of time, of the type that `payloads` says, or an
  // error. With `item`, it starts an item of that name; its epoch and capture time stay. The bound moves just past it.
  void Push(const std::string& port, Packet packet, const std::string& item = "");
  // The same where more packets of its time will follow.
  void PushMore(const std::string& port, Packet packet, const std::string& item = "");
  void PushError(const std::string& port, const std::string& reason, Time time, const std::string& item = "");
  // Nothing earlier than `bound` will come.
  void SetBound(const std::string& port, Time bound);
  // Nothing more will come, on one input or on all.
  void End(const std::string& port);
  void End();
  // Moves the run clock; timers fire on the way, each at its time.
  void Advance(Duration duration);
  Duration Now() const;
  // Lets the node run until it waits: for sources, and after something outside has woken it.
  void Run();

  // What the node has sent on an output since the last call.
  std::vector<Packet> Take(const std::string& port = "out");
  // Nothing earlier will come on an output; Max() when it has ended.
  Time BoundOf(const std::string& port = "out") const;
  // No more is taken from an output until Release: its edge fills, and the node has to wait.
  void HoldBack(const std::string& port = "out");
  void Release(const std::string& port = "out");

  // The node is closed: it finished, or failed.
  bool done() const;
  // Ends all inputs, lets timers fire as they come, and returns what became of it. Throws std::logic_error where the
  // node waits for something else.
  RunResult Finish();
  // The same for a run that is stopped where it is.
  RunResult Cancel();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace percept::graph
