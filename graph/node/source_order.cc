// SPDX-License-Identifier: Apache-2.0
#include "graph/node/source_order.h"

#include <algorithm>
#include <utility>

namespace percept::graph {

SourceOrder::Place SourceOrder::Take(Packet packet) {
  if (ended_ && kept_.empty()) {
    ended_ = false;
    newest_ = given_ = Time::Min();
  }
  const Time time = packet.timestamp();
  if (time < given_) return Place::kLate;
  const bool is_repaired = time < newest_;
  newest_ = std::max(newest_, time);
  const auto later = std::upper_bound(kept_.begin(), kept_.end(), time,
                                      [](Time t, const Packet& kept) { return t < kept.timestamp(); });
  kept_.insert(later, std::move(packet));
  return is_repaired ? Place::kRepaired : Place::kInOrder;
}

std::optional<Packet> SourceOrder::Next() {
  if (kept_.empty()) return std::nullopt;
  if (!ended_ && newest_ - kept_.front().timestamp() < window_) return std::nullopt;
  Packet packet = std::move(kept_.front());
  kept_.pop_front();
  given_ = packet.timestamp();
  return packet;
}

}  // namespace percept::graph
