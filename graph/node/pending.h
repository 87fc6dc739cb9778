// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "graph/packet/packet.h"

namespace percept::graph {

class PendingTimes;

// Work on a set that goes on after Process returned (a sequence in the engine). While it lives it keeps the item's
// credit and holds the node's output bounds at the set's time, so that results may still be sent there. Destroy it, or
// call Done(), once the last packet of the item has been sent. Move-only; may be destroyed on any thread, also after
// the graph.
class Pending {
 public:
  Pending() = default;
  Pending(Origin origin, Time time, std::shared_ptr<PendingTimes> times);
  Pending(Pending&& other) noexcept;
  Pending& operator=(Pending&& other) noexcept;
  ~Pending() { Done(); }

  void Done();
  Time time() const { return time_; }
  const Origin& origin() const { return origin_; }
  const std::string& item_label() const;
  // The item was asked to be given up.
  bool cancelled() const { return origin_.item && origin_.item->cancelled(); }

 private:
  Origin origin_;
  Time time_;
  uint64_t id_ = 0;
  std::shared_ptr<PendingTimes> times_;
};

}  // namespace percept::graph
