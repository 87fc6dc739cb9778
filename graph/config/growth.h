// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "graph/config/pipeline.h"
#include "graph/node/registry.h"

namespace percept::graph {

// What a graph keeps of where it came from, so that templates can be used while it runs.
struct Growth {
  std::shared_ptr<const Unbound> unbound;
  Registry registry;
};

}  // namespace percept::graph
