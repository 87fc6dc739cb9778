// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <mutex>

#include "graph/node/waker.h"

namespace percept::graph {

// What all Wakers of a node share with the graph; outlives both.
class WakeState {
 public:
  explicit WakeState(WakeTarget& target) : target_(&target) {}

  void Wake();
  // Something about the node changed that is no reason to call it by itself: a credit came back, pending work is done.
  void Change();
  void AddHolder();
  void DropHolder();
  // After it no call reaches the target any more.
  void Detach();

 private:
  std::mutex mutex_;
  WakeTarget* target_;
  int64_t num_holders_ = 0;
};

}  // namespace percept::graph
