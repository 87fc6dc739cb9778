// SPDX-License-Identifier: Apache-2.0
#include "graph/queue/edge.h"

#include <algorithm>
#include <utility>

namespace percept::graph {

Edge::Edge(std::string name, EdgeLimits limits, EdgeUser& producer, EdgeUser& consumer)
    : name_(std::move(name)), limits_(limits), producer_(producer), consumer_(consumer) {}

bool Edge::IsFullFor(size_t packet_bytes) const {
  if (packets_.empty()) return false;
  // Written without a sum, which a payload that claims a huge size would overflow.
  return packets_.size() >= limits_.packets || bytes_ >= limits_.bytes || packet_bytes > limits_.bytes - bytes_;
}

bool Edge::HasRoom() {
  std::lock_guard lock(mutex_);
  producer_waits_ = !closed_ && IsFullFor(0);
  return !producer_waits_;
}

bool Edge::Push(Packet& packet, Time bound, Level& level) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) {
      if (packet.origin().item) packet.origin().item->Release();
      packet = Packet();
      return true;
    }
    if (IsFullFor(packet.bytes())) {
      producer_waits_ = true;
      return false;
    }
    bytes_ += packet.bytes();
    packets_.Push(std::move(packet));
    bound_ = std::max(bound_, bound);
    level = {packets_.size(), bytes_};
    ++counts_.packets;
    counts_.peak_packets = std::max<uint64_t>(counts_.peak_packets, packets_.size());
    counts_.peak_bytes = std::max<uint64_t>(counts_.peak_bytes, bytes_);
  }
  consumer_.OnEdgeChanged();
  return true;
}

void Edge::RaiseBound(Time bound) {
  {
    std::lock_guard lock(mutex_);
    if (bound <= bound_ || closed_) return;
    bound_ = bound;
  }
  consumer_.OnEdgeChanged();
}

Edge::View Edge::Look() const {
  std::lock_guard lock(mutex_);
  return {packets_.empty() ? Time::Unset() : packets_.front().timestamp(), bound_};
}

bool Edge::Pop(Time latest, Packet& packet, Level& level) {
  bool tell_producer = false;
  {
    std::lock_guard lock(mutex_);
    if (packets_.empty() || packets_.front().timestamp() > latest) return false;
    packet = packets_.Pop();
    bytes_ -= packet.bytes();
    level = {packets_.size(), bytes_};
    tell_producer = std::exchange(producer_waits_, false);
  }
  if (tell_producer) producer_.OnEdgeChanged();
  return true;
}

void Edge::Close() {
  PacketRing dropped;
  bool tell_producer = false;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    std::swap(dropped, packets_);
    bytes_ = 0;
    tell_producer = std::exchange(producer_waits_, false);
  }
  // Outside the lock: a credit that returns calls the source.
  while (!dropped.empty()) {
    const Packet packet = dropped.Pop();
    if (packet.origin().item) packet.origin().item->Release();
  }
  if (tell_producer) producer_.OnEdgeChanged();
}

Edge::Counts Edge::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

std::string Edge::Describe() const {
  std::lock_guard lock(mutex_);
  return std::to_string(packets_.size()) + " of " + std::to_string(limits_.packets) + " packets, " +
         std::to_string(bytes_) + " of " + std::to_string(limits_.bytes) + " bytes, bound " + bound_.ToString();
}

}  // namespace percept::graph
