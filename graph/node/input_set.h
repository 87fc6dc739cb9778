// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/node/port_name.h"
#include "graph/packet/packet.h"

namespace percept::graph {

// The packets that a node is given at once, port by port. A node with one input gets every packet as it comes; with
// several, what its join puts together: by default all that the inputs have at the earliest time for which none of them
// can bring more.
class InputSet {
 public:
  explicit InputSet(std::vector<std::string> ports) : ports_(std::move(ports)), packets_(ports_.size()) {}

  // True in a Process call that was made for another reason (a Waker, more room on the outputs), and for sources.
  bool empty() const { return time_ == Time::Unset(); }
  Time time() const { return time_; }
  // Of a window, from time() on; otherwise zero.
  Duration duration() const { return duration_; }
  // A window that was cut short: by the end of the inputs, a new epoch, or because it did not wait longer.
  bool partial() const { return partial_; }
  // The latest epoch among the packets: a node with state starts anew when it changes.
  int64_t epoch() const { return epoch_; }
  // The ports of this node that are connected, in the order of `in:`.
  const std::vector<std::string>& ports() const { return ports_; }
  bool IsConnected(std::string_view port) const;
  // The packet on `port`, the first where there are several; an empty packet where the set has none or `port` is
  // optional and not connected.
  const Packet& Get(std::string_view port) const {
    const std::span<const Packet> packets = All(port);
    return packets.empty() ? kNone : packets.front();
  }
  // All packets on `port`: more than one only in windows and where its output sends many per time.
  std::span<const Packet> All(std::string_view port) const {
    for (size_t i = 0; i < ports_.size(); ++i) {
      if (IsSamePort(ports_[i], port)) return packets_[i];
    }
    return {};
  }
  // The first error packet in port order, nullptr where there is none.
  const Packet* FirstError() const { return has_error_ ? FindError() : nullptr; }

  // Any packet, nullptr where the set is empty.
  const Packet* First() const {
    for (const std::vector<Packet>& packets : packets_) {
      if (!packets.empty()) return &packets.front();
    }
    return nullptr;
  }

  // For the graph. A set is at the time that it begins with, or else at that of its first packet.
  void Begin(Time time, Duration duration = {}, bool partial = false) {
    time_ = time;
    duration_ = duration;
    partial_ = partial;
  }
  void Add(size_t port_idx, Packet&& packet) {
    CountIn(packet);
    packets_[port_idx].push_back(std::move(packet));
  }
  // The two halves of Add, for who moves the packet there itself: where to, and what it changes.
  std::vector<Packet>& PacketsOf(size_t port_idx) { return packets_[port_idx]; }
  void CountIn(const Packet& packet) {
    if (time_ == Time::Unset()) time_ = packet.timestamp();
    epoch_ = std::max(epoch_, packet.origin().epoch);
    has_error_ = has_error_ || packet.is_error();
  }
  // Lets go of the packets' credits, which were the set's.
  void ReleaseCredits() const {
    for (const std::vector<Packet>& packets : packets_) {
      for (const Packet& packet : packets) {
        if (packet.origin().item) packet.origin().item->Release();
      }
    }
  }
  void Clear() {
    for (std::vector<Packet>& packets : packets_) packets.clear();
    Begin(Time::Unset());
    epoch_ = 0;
    has_error_ = false;
  }
  // Of an empty set: a port more, behind the others; one less.
  void AddPort(std::string name);
  void RemovePort(size_t port_idx);

 private:
  static const Packet kNone;

  const Packet* FindError() const;

  std::vector<std::string> ports_;
  std::vector<std::vector<Packet>> packets_;  // [ports]
  Time time_;
  Duration duration_;
  bool partial_ = false;
  int64_t epoch_ = 0;
  bool has_error_ = false;
};

}  // namespace percept::graph
