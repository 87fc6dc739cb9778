// SPDX-License-Identifier: Apache-2.0
#include "graph/run/counts.h"

#include <algorithm>

namespace percept::graph {

EdgeCounts CountsOf(const Edge& edge) {
  const Edge::Counts counts = edge.counts();
  EdgeCounts result{edge.name(), counts.packets, counts.peak_packets, counts.peak_bytes, {}};
  for (size_t i = 0; i < kNumDropReasons; ++i) {
    if (counts.drops[i] > 0) result.drops[ToString(static_cast<DropReason>(i))] = counts.drops[i];
  }
  return result;
}

void AddCounts(const NodeCounts& counts, NodeCounts& sum) {
  sum.node = counts.node;
  sum.runs += counts.runs;
  sum.sets += counts.sets;
  sum.sent += counts.sent;
  sum.errors += counts.errors;
  sum.unmatched += counts.unmatched;
  sum.peak_state_items = std::max(sum.peak_state_items, counts.peak_state_items);
  sum.peak_state_bytes = std::max(sum.peak_state_bytes, counts.peak_state_bytes);
  sum.retries += counts.retries;
  sum.restarts += counts.restarts;
  for (const auto& [kind, num] : counts.repairs) sum.repairs[kind] += num;
}

void AddCounts(const EdgeCounts& counts, EdgeCounts& sum) {
  sum.edge = counts.edge;
  sum.packets += counts.packets;
  sum.peak_packets = std::max(sum.peak_packets, counts.peak_packets);
  sum.peak_bytes = std::max(sum.peak_bytes, counts.peak_bytes);
  for (const auto& [reason, num] : counts.drops) sum.drops[reason] += num;
}

}  // namespace percept::graph
