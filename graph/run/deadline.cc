// SPDX-License-Identifier: Apache-2.0
#include "graph/run/deadline.h"

#include <cstdint>
#include <utility>

#include "graph/run/run_state.h"

namespace percept::graph {

// Nodes whose time comes at the same instant go first.
Deadline::Deadline(RunState& run, std::function<void()> due) : Timer(INT64_MAX), run_(run), due_(std::move(due)) {}

void Deadline::OnTimer() {
  keep_ = run_.weak_from_this().lock();
  if (!keep_) return;
  run_.Enter();  // until it has run, the run is not over
  run_.executor().Enqueue(*this);
}

void Deadline::Run() noexcept {
  const std::shared_ptr<RunState> keep = std::move(keep_);
  const std::function<void()> due = due_;
  due();
  keep->Leave();
}

}  // namespace percept::graph
