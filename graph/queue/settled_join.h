// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "graph/node/input_set.h"
#include "graph/queue/edge.h"

namespace percept::graph {

// The default input rule. A node with one input gets each packet as it comes. With several, the packets of the earliest
// time t on any of them, once the bound of every input has passed t; a set that lacks an input is not given out but
// counted, unless it holds an error. Same packets in, same sets out, whatever the threads did.
class SettledJoin {
 public:
  enum class Answer { kSet, kWait, kEnded };
  using OnPacket = std::function<void(size_t port_idx, const Packet& packet, Edge::Level level)>;

  explicit SettledJoin(std::span<Edge* const> inputs) : inputs_(inputs) {}

  // Fills the empty `set`; the credits of its packets are the caller's.
  Answer Next(InputSet& set, const OnPacket& on_packet);
  // Nothing earlier will come: the earliest head or bound of the inputs.
  Time Bound() const;
  uint64_t num_unmatched() const { return num_unmatched_; }

 private:
  Answer NextOfOne(InputSet& set, const OnPacket& on_packet);
  // The earliest time of a packet on any input, Unset where it is not settled or there is none.
  Time SettledTime(bool& ended) const;

  const std::span<Edge* const> inputs_;
  uint64_t num_unmatched_ = 0;
};

}  // namespace percept::graph
