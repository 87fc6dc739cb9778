// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "graph/node/position.h"

namespace percept::graph {

// What the whole graph may use, where the file says so.
struct GraphLimits {
  std::optional<int64_t> host_bytes;  // of what edges and nodes hold
  std::optional<int64_t> pixels;      // of one picture
  Position position;
};

}  // namespace percept::graph
