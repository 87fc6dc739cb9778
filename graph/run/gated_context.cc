// SPDX-License-Identifier: Apache-2.0
#include "graph/run/gated_context.h"

#include <stdexcept>

namespace percept::graph {

GatedContext::Passage::Passage(const GatedContext& gate) : lock_(gate.mutex_), context_(gate.context_) {
  if (gate.closed_) throw std::runtime_error("the run is over: it went on without this source");
}

bool GatedContext::cancelled() const {
  const std::lock_guard lock(mutex_);
  return closed_ || context_.cancelled();
}

}  // namespace percept::graph
