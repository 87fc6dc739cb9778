// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <string>
#include <utility>

#include "graph/node/node.h"

namespace percept::nodes {

// What a node made of its set and has not sent yet, for nodes that send more packets a set than outputs have room for.
//   if (outgoing_.IsNew(set)) { ... outgoing_.Add("out", packet); ... }
//   return outgoing_.Send(context) ? Process::kNeedInput : Process::kHaveOutput;
class Outgoing {
 public:
  // True once for each set, which stays the node's until Send has sent all.
  bool IsNew(const graph::InputSet& set) { return !set.empty() && !std::exchange(has_set_, true); }
  void Add(std::string port, graph::Packet packet) { packets_.emplace_back(std::move(port), std::move(packet)); }
  // In order, as far as there is room; true when nothing is left.
  bool Send(graph::NodeContext& context) {
    while (!packets_.empty() && context.CanSend(packets_.front().first)) {
      context.Send(packets_.front().first, std::move(packets_.front().second));
      packets_.pop_front();
    }
    if (packets_.empty()) has_set_ = false;
    return packets_.empty();
  }
  // When the next packet is; there must be one.
  graph::Time next_time() const { return packets_.front().second.timestamp(); }

 private:
  std::deque<std::pair<std::string, graph::Packet>> packets_;
  bool has_set_ = false;
};

}  // namespace percept::nodes
