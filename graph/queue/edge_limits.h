// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace percept::graph {

// How much an edge holds. Full at either limit; then its producer waits. A single packet of more than `bytes` is let
// onto an empty edge, alone.
struct EdgeLimits {
  size_t packets = 8;
  size_t bytes = size_t{256} << 20;
};

}  // namespace percept::graph
