// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>
#include <vector>

#include "graph/packet/packet.h"

namespace percept::graph {

// First in, first out. Grows by doubling up to what has once been in it; then it allocates no more.
class PacketRing {
 public:
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  const Packet& front() const { return slots_[first_]; }

  void Push(Packet packet) {
    if (size_ == slots_.size()) Grow();
    slots_[(first_ + size_) & (slots_.size() - 1)] = std::move(packet);
    ++size_;
  }

  Packet Pop() {
    Packet packet = std::move(slots_[first_]);
    slots_[first_] = Packet();
    first_ = (first_ + 1) & (slots_.size() - 1);
    --size_;
    return packet;
  }

 private:
  void Grow() {
    std::vector<Packet> larger(slots_.empty() ? 4 : slots_.size() * 2);  // a power of two, for the masks
    for (size_t i = 0; i < size_; ++i) larger[i] = std::move(slots_[(first_ + i) & (slots_.size() - 1)]);
    slots_ = std::move(larger);
    first_ = 0;
  }

  std::vector<Packet> slots_;
  size_t first_ = 0;
  size_t size_ = 0;
};

}  // namespace percept::graph
