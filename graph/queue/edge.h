// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "graph/packet/packet.h"
#include "graph/queue/edge_limits.h"
#include "graph/queue/packet_ring.h"

namespace percept::graph {

// Who is told that an edge changed: the producer that there is room, the consumer that there is a packet or a later
// bound. Called without the edge's lock, on the thread of the other end.
class EdgeUser {
 public:
  virtual ~EdgeUser() = default;
  virtual void OnEdgeChanged() = 0;
};

// The bounded queue between an output port and an input port, with its bound. One producer and one consumer at a time.
// Packets on it hold their item's credit: Push takes over one that the caller acquired, Pop hands it to the caller.
class Edge {
 public:
  struct Level {
    size_t packets = 0;
    size_t bytes = 0;
  };

  Edge(std::string name, EdgeLimits limits, EdgeUser& producer, EdgeUser& consumer);
  // "pick.video -> win.video"
  const std::string& name() const { return name_; }

  // Producer. Both return false on a full edge; the producer is then told when that changes.
  bool HasRoom();
  // Moves `packet` onto the edge and raises the bound; leaves it where it is when the edge is full. A closed edge takes
  // packets and drops them.
  bool Push(Packet& packet, Time bound, Level& level);
  void RaiseBound(Time bound);

  // Consumer.
  struct View {
    Time head;   // of the first packet; Unset where there is none
    Time bound;  // no packet earlier than this will come any more
    bool ended() const { return head == Time::Unset() && bound == Time::Max(); }
  };
  View Look() const;
  // False when the edge is empty, or its first packet is later than `latest`.
  bool Pop(Time latest, Packet& packet, Level& level);
  // Lets go of everything on the edge, now and in future.
  void Close();

  struct Counts {
    uint64_t packets = 0;
    uint64_t peak_packets = 0;
    uint64_t peak_bytes = 0;
  };
  Counts counts() const;
  // "3 of 8 packets, 12 of 268435456 bytes, bound 1.5s": for messages.
  std::string Describe() const;

 private:
  bool IsFullFor(size_t packet_bytes) const;

  const std::string name_;
  const EdgeLimits limits_;
  EdgeUser& producer_;
  EdgeUser& consumer_;

  mutable std::mutex mutex_;
  PacketRing packets_;
  size_t bytes_ = 0;
  Time bound_ = Time::Min();
  bool closed_ = false;
  bool producer_waits_ = false;
  Counts counts_;
};

}  // namespace percept::graph
