// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <optional>

#include "graph/packet/packet.h"

namespace percept::graph {

// What a source puts its packets through when they may come a little out of order: each is kept until `window` of media
// time is past, and given out in order of time; equal times as they came. The packets it keeps count as the source's
// own: at most those of one window.
//   if (order_.Take(packet) == SourceOrder::Place::kLate) context.SendError(ErrorKind::kBadInput, ..., bound, item);
//   while (std::optional<Packet> packet = order_.Next()) ...
class SourceOrder {
 public:
  // A zero window keeps nothing: what steps back is late.
  explicit SourceOrder(Duration window) : window_(window) {}

  enum class Place {
    kInOrder,
    kRepaired,  // came after a later one and was put before it
    kLate,      // something later was given out already: not taken
  };
  Place Take(Packet packet);
  // The next packet that nothing can come before any more.
  std::optional<Packet> Next();
  // The stream has ended, or a new epoch begins: Next gives out all that is left, and what is taken after it may be at
  // any time.
  void End() { ended_ = true; }
  bool empty() const { return kept_.empty(); }

 private:
  const Duration window_;
  std::deque<Packet> kept_;    // by time
  Time newest_ = Time::Min();  // of the packets taken
  Time given_ = Time::Min();   // of the last packet given out
  bool ended_ = false;
};

}  // namespace percept::graph
