// SPDX-License-Identifier: Apache-2.0
#include "graph/queue/join.h"

#include <stdexcept>

#include "graph/queue/latest_join.h"
#include "graph/queue/nearest_join.h"
#include "graph/queue/settled_join.h"
#include "graph/queue/window_join.h"

namespace percept::graph {

void Join::SetInputs(std::span<Edge* const>) {
  throw std::logic_error("the inputs of a join that is not settled cannot change");
}

std::unique_ptr<Join> MakeJoin(const JoinSpec& spec, std::span<Edge* const> inputs, const Clock& clock,
                               StateAccount& account) {
  switch (spec.kind) {
    case JoinKind::kLatest:
      return std::make_unique<LatestJoin>(spec, inputs, clock);
    case JoinKind::kWindow:
      return std::make_unique<WindowJoin>(spec, inputs, clock, account);
    case JoinKind::kNearest:
      return std::make_unique<NearestJoin>(spec, inputs, clock);
    case JoinKind::kSettled:
      break;
  }
  return std::make_unique<SettledJoin>(spec, inputs, clock);
}

}  // namespace percept::graph
