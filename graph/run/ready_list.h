// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "graph/run/executor.h"

namespace percept::graph {

// Tasks that are ready, lowest priority value first, then first come first served. Not thread-safe; does not allocate
// once it has been as long as it gets.
class ReadyList {
 public:
  void Push(Task& task);
  // nullptr when empty.
  Task* Pop();
  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }

 private:
  struct Slot {
    int priority;
    uint64_t order;
    Task* task;
  };
  struct RunsLater {
    bool operator()(const Slot& a, const Slot& b) const {
      return a.priority != b.priority ? a.priority > b.priority : a.order > b.order;
    }
  };
  std::vector<Slot> heap_;
  uint64_t next_order_ = 0;
};

}  // namespace percept::graph
