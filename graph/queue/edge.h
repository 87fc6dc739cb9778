// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <oneapi/tbb/spin_mutex.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "graph/node/clock.h"
#include "graph/packet/packet.h"
#include "graph/queue/drop_reason.h"
#include "graph/queue/edge_limits.h"
#include "graph/queue/packet_ring.h"

namespace percept::graph {

class Edge;

// Who is told that an edge changed: the producer that there is room, the consumer that there is a packet or a later
// bound. Called without the edge's lock, on the thread of the other end.
class EdgeUser {
 public:
  virtual ~EdgeUser() = default;
  virtual void OnEdgeChanged() = 0;
  // `packet` was dropped, on the thread of the call that led to it: by the edge (told to the producer) or by the join
  // behind it (told to the consumer).
  virtual void OnDrop(const Edge&, const Packet&, DropReason) {}
  // The consumer closed the edge; told to the producer, once.
  virtual void OnReaderClosed() {}
  // The producer's `packet` came to a closed edge, and is let go of.
  virtual void OnUnread(const Packet&) {}
  // The same for the consumer, which closed it; on the producer's thread.
  virtual void OnTooLate(const Packet&) {}
};

// A packet came to an edge that is full and whose policy is kFail.
class EdgeFullError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The bounded queue between an output port and an input port, with its bound. One producer and one consumer at a time.
// Packets on it hold their item's credit: Push takes over one that the caller acquired, Pop hands it to the caller;
// unless the limits say that the edge releases credits: then Push gives it back.
class Edge {
 public:
  struct Level {
    size_t packets = 0;
    size_t bytes = 0;
  };

  Edge(std::string name, const EdgeLimits& limits, EdgeUser& producer, EdgeUser& consumer);
  // "pick.video -> win.video"
  const std::string& name() const { return name_; }
  const EdgeLimits& limits() const { return limits_; }
  // Before the run: HasRoom and Push each say "full" the first `times` times that they are asked, and tell the producer
  // of a change at once. For tests.
  void ForceFull(int64_t times);
  // Before the run: View says when its packet came, by `clock`, which outlives the edge.
  void StampArrivals(const Clock& clock) { arrival_clock_ = &clock; }

  // Producer. Both return false on a full edge that makes its producer wait; the producer is then told when that
  // changes.
  bool HasRoom() { return has_room_ || LookForRoom(); }
  // After a Push: there is room for another packet. False where one would have to look.
  bool has_room() const { return has_room_; }
  // What HasRoom would say, without asking to be told.
  bool is_full() const {
    const Lock lock(mutex_);
    return !HasRoomForNext();
  }
  // Nobody will ever read from it.
  bool is_closed() const;
  // Moves `packet` onto the edge, or drops it or others as the policy says, and raises the bound either way; leaves
  // it where it is when it returns false. A closed edge takes packets and lets go of them. Throws EdgeFullError,
  // with the packet let go.
  bool Push(Packet& packet, Time bound, Level& level);
  void RaiseBound(Time bound);

  // Consumer.
  struct View {
    Time head;              // of the first packet; Unset where there is none
    Time bound;             // no packet earlier than this will come any more
    Duration head_since{};  // when it came, on the clock of StampArrivals
    bool ended() const { return head == Time::Unset() && bound == Time::Max(); }
  };
  View Look() const;
  // Of an edge that has ended: the bound before.
  Time BoundBeforeEnd() const;
  // False when the edge is empty, or its first packet is later than `latest`.
  bool Pop(Time latest, Packet& packet, Level& level);
  // The same, to the end of `packets`.
  bool Pop(Time latest, std::vector<Packet>& packets, Level& level);
  // Lets go of a packet that was popped and is of no use, and counts it.
  void Drop(const Packet& packet, DropReason reason);
  // Lets go of everything on the edge, now and in future. `on_packet` is called for what lies on it.
  void Close(const std::function<void(const Packet&)>& on_packet = {});

  // From any thread: drops the oldest packet that is no error. False where there is none.
  bool DropOldest(DropReason reason);

  struct Counts {
    uint64_t packets = 0;
    uint64_t peak_packets = 0;
    uint64_t peak_bytes = 0;
    std::array<uint64_t, kNumDropReasons> drops{};
  };
  Counts counts() const;
  // "3 of 8 packets, 12 of 268435456 bytes, bound 1.5s": for messages.
  std::string Describe() const;

 private:
  using Lock = std::lock_guard<tbb::spin_mutex>;  // for a few stores, never around a call of others
  enum class Outcome { kTaken, kDropped, kFull, kForcedFull, kOverrun, kClosed };
  using Dropped = std::vector<std::pair<Packet, DropReason>>;

  template <class TakeFront>
  bool PopWith(Time latest, Level& level, const TakeFront& take_front);
  bool LookForRoom();
  // All but LetGo with the lock.
  bool IsFull() const { return !packets_.empty() && (packets_.size() >= limits_.packets || bytes_ >= limits_.bytes); }
  bool IsFullFor(const Packet& packet) const {
    if (packets_.empty()) return false;
    if (IsFull() || bytes_ + packet.bytes() > limits_.bytes) return true;
    return limits_.time > Duration() && IsFartherApart(packets_.front(), packet);
  }
  // More than the edge's time.
  bool IsFartherApart(const Packet& from, const Packet& to) const;
  bool HasRoomForNext() const { return closed_ || limits_.policy != DropPolicy::kBlock || !IsFull(); }
  bool IsUseless(const Packet& packet) const;
  Outcome Take(Packet& packet, Duration now) {
    const bool is_plain = limits_.policy == DropPolicy::kBlock && !closed_ && !group_is_broken_;
    Outcome outcome = Outcome::kTaken;
    if (!is_plain || forced_full_pushes_ > 0 || IsFullFor(packet)) outcome = TakeByPolicy(packet);
    if (outcome == Outcome::kTaken) Append(packet, now);
    return outcome;
  }
  // As the policy says; kTaken: the packet is still to be appended.
  Outcome TakeByPolicy(Packet& packet);
  void Append(Packet& packet, Duration now) {
    group_is_broken_ = group_is_broken_ && packet.is_error();
    bytes_ += packet.bytes();
    packets_.Push(std::move(packet), now);
    ++counts_.packets;
    counts_.peak_packets = std::max<uint64_t>(counts_.peak_packets, packets_.size());
    counts_.peak_bytes = std::max<uint64_t>(counts_.peak_bytes, bytes_);
  }
  // Makes room for `packet` where the policy says so. kDropped: it has to go itself, for `reason`.
  Outcome MakeRoom(const Packet& packet, DropReason& reason);
  // The first packet from `i` on that is no error, the last one of all; the number of packets where there is none.
  size_t FindDroppable(size_t i) const;
  size_t FindNewestDroppable() const;
  void DropSuperseded(const Packet& newest);
  // With what cannot be used without it.
  void DropAt(size_t i, DropReason reason, Dropped& dropped);
  void TakeOut(size_t i, DropReason reason, Dropped& dropped);
  void CountDrop(DropReason reason) { ++counts_.drops[static_cast<size_t>(reason)]; }
  // What is left to do after a Push, without the lock.
  bool FinishPush(Outcome outcome, Packet& packet);
  // Without the lock: a credit that returns calls the source.
  void LetGo(Dropped& dropped);

  const std::string name_;
  const EdgeLimits limits_;
  EdgeUser& producer_;
  EdgeUser& consumer_;
  const Clock* arrival_clock_ = nullptr;

  // The producer's own: there was room after its last Push, and only it takes room away.
  bool has_room_ = false;

  mutable tbb::spin_mutex mutex_;
  PacketRing packets_;
  size_t bytes_ = 0;
  Time bound_ = Time::Min();
  Time bound_before_end_ = Time::Min();
  bool closed_ = false;
  bool producer_waits_ = false;
  bool group_is_broken_ = false;  // nothing but a key packet is of use
  int64_t forced_full_rooms_ = 0;
  int64_t forced_full_pushes_ = 0;
  Counts counts_;
  Dropped dropped_by_push_;  // empty but during Push
};

}  // namespace percept::graph
