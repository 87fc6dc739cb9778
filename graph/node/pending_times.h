// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "graph/node/wake_state.h"
#include "graph/packet/time.h"

namespace percept::graph {

// The times at which a node has work pending: its outputs' bounds do not pass the earliest.
class PendingTimes {
 public:
  explicit PendingTimes(std::shared_ptr<WakeState> node) : node_(std::move(node)) {}

  void Add(Time time);
  void Remove(Time time);
  // Max() where nothing is pending.
  Time Earliest() const;
  bool empty() const { return Earliest() == Time::Max(); }

 private:
  mutable std::mutex mutex_;
  std::vector<Time> times_;
  const std::shared_ptr<WakeState> node_;
};

}  // namespace percept::graph
