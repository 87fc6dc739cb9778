// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "graph/node/wake_state.h"
#include "graph/packet/packet.h"
#include "graph/packet/time.h"

namespace percept::graph {

// The times at which a node has work pending: its outputs' bounds do not pass the earliest.
class PendingTimes {
 public:
  explicit PendingTimes(std::shared_ptr<WakeState> node) : node_(std::move(node)) {}

  struct Work {
    uint64_t id;
    Time time;
    Origin origin;
  };

  // Returns the id under which to remove it.
  uint64_t Add(Time time, const Origin& origin);
  // No work of that id: nothing is done.
  void Remove(uint64_t id);
  // Takes out all work, the earliest first.
  std::vector<Work> TakeAll();
  // Max() where nothing is pending.
  Time Earliest() const { return empty() ? Time::Max() : FindEarliest(); }
  bool empty() const { return num_work_.load(std::memory_order_acquire) == 0; }

 private:
  Time FindEarliest() const;

  std::atomic<size_t> num_work_{0};  // as many as in work_: asked about at every run of the node, mostly none
  mutable std::mutex mutex_;
  std::vector<Work> work_;
  uint64_t next_id_ = 0;
  const std::shared_ptr<WakeState> node_;
};

}  // namespace percept::graph
