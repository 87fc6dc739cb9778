// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "graph/node/wake_state.h"
#include "graph/packet/item.h"

namespace percept::graph {

// How many items of one source may be at work at once.
class SourceCredits : public CreditReturn {
 public:
  SourceCredits(int64_t limit, std::shared_ptr<WakeState> source) : limit_(limit), source_(std::move(source)) {}

  bool available() const { return num_in_flight_.load() < limit_; }
  int64_t limit() const { return limit_; }
  void TakeCredit() override { num_in_flight_.fetch_add(1); }
  void ReturnCredit() override {
    num_in_flight_.fetch_sub(1);
    source_->Change();
  }

 private:
  const int64_t limit_;
  const std::shared_ptr<WakeState> source_;
  std::atomic<int64_t> num_in_flight_{0};
};

}  // namespace percept::graph
