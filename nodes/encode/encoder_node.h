// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>

#include "engine/engine.h"
#include "graph/node/node.h"
#include "nodes/payload/soft_tokens.h"

namespace percept::nodes {

// A node that turns media into soft tokens. The towers run as steps of the model's engine: several media may be on
// their way, and what is made of them is sent on "tokens" in the order they came.
class EncoderNode : public graph::Node {
 public:
  explicit EncoderNode(Engine& engine);
  ~EncoderNode() override;

  graph::Process Process(graph::NodeContext& context) override;
  // Cancels what is still at work.
  void Close() override;

 protected:
  Engine& engine() { return engine_; }

 private:
  class Medium;

  // Gives the medium of the set to the engine; `tokens` is what will be sent, without rows and times of encoding.
  // Throws InputError where it cannot be used.
  virtual RequestId Submit(const graph::InputSet& inputs, SoftTokens* tokens,
                           const std::shared_ptr<MediumListener>& listener) = 0;

  void Start(graph::NodeContext& context);
  bool SendFinished(graph::NodeContext& context);

  Engine& engine_;
  std::deque<std::shared_ptr<Medium>> at_work_;
  bool set_taken_ = false;  // the set is kept while there is no room on the output
};

}  // namespace percept::nodes
