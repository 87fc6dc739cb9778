// SPDX-License-Identifier: Apache-2.0
#include "graph/run/ready_list.h"

#include <algorithm>

namespace percept::graph {

void ReadyList::Push(Task& task) {
  heap_.push_back({task.priority, next_order_++, &task});
  std::push_heap(heap_.begin(), heap_.end(), RunsLater());
}

Task* ReadyList::Pop() {
  if (heap_.empty()) return nullptr;
  std::pop_heap(heap_.begin(), heap_.end(), RunsLater());
  Task* task = heap_.back().task;
  heap_.pop_back();
  return task;
}

}  // namespace percept::graph
