// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/core/trace.h"

namespace percept {

// A trace zone around a scope for every request of a batch.
template <typename Batch>
class BatchZone {
 public:
  explicit BatchZone(const Batch& batch) : batch_(batch) { batch_.TracePhase(TraceEvent::Phase::kBegin); }
  ~BatchZone() { batch_.TracePhase(TraceEvent::Phase::kEnd); }
  BatchZone(const BatchZone&) = delete;
  BatchZone& operator=(const BatchZone&) = delete;

 private:
  const Batch& batch_;
};

}  // namespace percept
