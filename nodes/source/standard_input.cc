// SPDX-License-Identifier: Apache-2.0
#include "nodes/source/standard_input.h"

#include "kernels/core/error.h"

namespace percept::nodes {

void StandardInput::Open(graph::NodeContext& context, const graph::ItemRef& item, graph::Time time) {
  if (file_descriptor_ < 0) {
    throw InputError("there is no standard input to read");
  }
  item_ = context.Hold(item, time);
  reader_ = std::make_unique<PipeReader>(file_descriptor_, limit_bytes_, context.waker());
}

std::optional<graph::Process> StandardInput::Await() {
  if (reader_->done()) {
    return std::nullopt;
  }
  if (!is_interrupted_) {
    return graph::Process::kBlocked;
  }
  item_.Done();
  return graph::Process::kFinished;
}

void StandardInput::Close() {
  reader_.reset();
  item_.Done();
}

}  // namespace percept::nodes
