// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "graph/node/node.h"
#include "graph/node/pending.h"
#include "nodes/source/pipe_reader.h"

namespace percept::nodes {

// What a source of files calls standard input.
inline constexpr const char* kStandardInput = "-";

// Standard input as an item of a source, held while its bytes are read.
class StandardInput {
 public:
  // A negative descriptor: there is none. More than `limit_bytes` is an error of the item.
  StandardInput(int file_descriptor, int64_t limit_bytes)
      : file_descriptor_(file_descriptor), limit_bytes_(static_cast<size_t>(limit_bytes)) {}

  // Throws InputError where there is none.
  void Open(graph::NodeContext& context, const graph::ItemRef& item, graph::Time time);
  bool is_open() const { return reader_ != nullptr; }
  // What Process answers: kBlocked until the bytes are there, kFinished after an interrupt; nothing once they are
  // there.
  std::optional<graph::Process> Await();
  // Once Await has nothing to answer. Throws InputError where reading failed.
  std::vector<std::byte> TakeBytes() { return reader_->TakeBytes(); }
  const graph::Pending& item() const { return item_; }
  // Stops reading, and lets go of the item.
  void Close();

  // Any thread.
  void Interrupt() { is_interrupted_ = true; }

 private:
  const int file_descriptor_;
  const size_t limit_bytes_;
  std::atomic<bool> is_interrupted_{false};
  std::unique_ptr<PipeReader> reader_;
  graph::Pending item_;
};

}  // namespace percept::nodes
