// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "graph/packet/packet.h"

namespace percept::graph {

// First in, first out, each packet with the time at which it came. Grows by doubling up to what has once been in it;
// then it allocates no more.
class PacketRing {
 public:
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  const Packet& front() const { return slots_[first_].packet; }
  Duration front_came() const { return slots_[first_].came; }
  // The `i`-th from the front.
  const Packet& operator[](size_t i) const { return slots_[SlotOf(i)].packet; }

  void Push(Packet&& packet, Duration came) {
    if (size_ == slots_.size()) Grow();
    Slot& slot = slots_[SlotOf(size_)];
    // What was there has been moved from: cheaper than an assignment, which would look after it.
    std::destroy_at(&slot.packet);
    std::construct_at(&slot.packet, std::move(packet));
    slot.came = came;
    ++size_;
  }

  // To be moved from before it is dropped.
  Packet& front() { return slots_[first_].packet; }
  void DropFront() {
    first_ = SlotOf(1);
    --size_;
  }

  Packet Pop() {
    Packet packet = std::move(front());
    DropFront();
    return packet;
  }

  // Takes out the `i`-th; those before it move up.
  Packet Take(size_t i) {
    for (; i > 0; --i) std::swap(slots_[SlotOf(i)], slots_[SlotOf(i - 1)]);
    return Pop();
  }

 private:
  struct Slot {
    Packet packet;
    Duration came;
  };

  size_t SlotOf(size_t i) const { return (first_ + i) & (slots_.size() - 1); }

  void Grow() {
    std::vector<Slot> larger(slots_.empty() ? 4 : slots_.size() * 2);  // a power of two, for the masks
    for (size_t i = 0; i < size_; ++i) larger[i] = std::move(slots_[SlotOf(i)]);
    slots_ = std::move(larger);
    first_ = 0;
  }

  std::vector<Slot> slots_;
  size_t first_ = 0;
  size_t size_ = 0;
};

}  // namespace percept::graph
