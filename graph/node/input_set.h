// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/packet/packet.h"

namespace percept::graph {

// The packets of one settled time, port by port. A node with one input gets every packet as it comes; with several, all
// that its inputs have at the earliest time for which none of them can bring more.
class InputSet {
 public:
  explicit InputSet(std::vector<std::string> ports) : ports_(std::move(ports)), packets_(ports_.size()) {}

  // True in a Process call that was made for another reason (a Waker, more room on the outputs), and for sources.
  bool empty() const { return time_ == Time::Unset(); }
  Time time() const { return time_; }
  // The ports of this node that are connected, in the order of `in:`.
  const std::vector<std::string>& ports() const { return ports_; }
  bool IsConnected(std::string_view port) const;
  // The packet on `port`, the first where there are several; an empty packet where the set has none or `port` is
  // optional and not connected.
  const Packet& Get(std::string_view port) const;
  // All packets on `port`: more than one only where its output sends many per time.
  std::span<const Packet> All(std::string_view port) const;
  // The first error packet in port order, nullptr where there is none.
  const Packet* FirstError() const;

  // Any packet, nullptr where the set is empty.
  const Packet* First() const;

  // For the graph.
  void Add(size_t port_idx, Packet packet);
  // Lets go of the packets' credits, which were the set's.
  void ReleaseCredits() const;
  void Clear();

 private:
  std::vector<std::string> ports_;
  std::vector<std::vector<Packet>> packets_;  // [ports]
  Time time_;
};

}  // namespace percept::graph
