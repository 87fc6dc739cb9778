// SPDX-License-Identifier: Apache-2.0
#include "nodes/encode/encoder_node.h"

#include <chrono>
#include <mutex>
#include <string>
#include <utility>

#include "kernels/core/error.h"

namespace percept::nodes {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

// One medium in the engine: what the engine will say about it, and who is to be woken then.
class EncoderNode::Medium : public MediumListener {
 public:
  struct Outcome {
    std::shared_ptr<const percept::SoftTokens> rows;  // null: it failed
    std::string failure;
    Clock::time_point time;
  };

  Medium(graph::Pending work, graph::Waker waker) : pending(std::move(work)), waker_(std::move(waker)) {}

  void OnSoftTokens(std::shared_ptr<const percept::SoftTokens> rows) override { End({std::move(rows), "", {}}); }
  void OnMediumFailed(FinishReason finish, std::string reason) override {
    End({nullptr, finish == FinishReason::kCancelled ? "cancelled" : std::move(reason), {}});
  }
  void Fail(graph::ErrorKind kind, std::string reason) {
    error_kind = kind;
    End({nullptr, std::move(reason), {}});
  }

  // Null while the engine works on it. Never changes back.
  const Outcome* outcome() const {
    const std::lock_guard lock(mutex_);
    return ended_ ? &outcome_ : nullptr;
  }

  // The node's own.
  graph::Pending pending;
  SoftTokens tokens;
  graph::ErrorKind error_kind = graph::ErrorKind::kNode;
  RequestId request = 0;
  Clock::time_point start_time;

 private:
  void End(Outcome outcome) {
    outcome.time = Clock::now();
    graph::Waker waker;
    {
      const std::lock_guard lock(mutex_);
      outcome_ = std::move(outcome);
      ended_ = true;
      waker = std::move(waker_);
    }
    waker.Wake();
  }

  mutable std::mutex mutex_;
  bool ended_ = false;
  Outcome outcome_;
  graph::Waker waker_;
};

EncoderNode::EncoderNode(Engine& engine) : engine_(engine) {}
EncoderNode::~EncoderNode() = default;

graph::Process EncoderNode::Process(graph::NodeContext& context) {
  if (!context.inputs().empty() && !set_taken_) {
    Start(context);
    set_taken_ = true;
  }
  if (SendFinished(context)) {
    return graph::Process::kHaveOutput;
  }
  set_taken_ = false;
  return graph::Process::kNeedInput;
}

void EncoderNode::Close() {
  for (const auto& medium : at_work_) {
    engine_.Cancel(medium->request);
  }
  at_work_.clear();
}

void EncoderNode::Start(graph::NodeContext& context) {
  auto medium = std::make_shared<Medium>(context.Hold(), context.waker());
  at_work_.push_back(medium);
  if (medium->pending.cancelled()) {
    return medium->Fail(graph::ErrorKind::kNode, "cancelled");
  }
  medium->start_time = Clock::now();
  try {
    medium->request = Submit(context.inputs(), &medium->tokens, medium);
  } catch (const InputError& error) {
    medium->Fail(graph::ErrorKind::kBadInput, error.what());
  }
}

// In the order they came: time never runs backwards on an edge. True where more is ready than the output has room for.
bool EncoderNode::SendFinished(graph::NodeContext& context) {
  while (!at_work_.empty()) {
    Medium& medium = *at_work_.front();
    const Medium::Outcome* outcome = medium.outcome();
    if (outcome == nullptr) {
      return false;
    }
    if (!context.CanSend("tokens")) {
      return true;
    }
    if (outcome->rows == nullptr) {
      context.SendError(medium.error_kind, outcome->failure, medium.pending);
    } else {
      SoftTokens tokens = std::move(medium.tokens);
      tokens.rows = outcome->rows;
      const bool is_sound = tokens.kind == MediaKind::kAudio;
      (is_sound ? tokens.sound.num_soft_tokens : tokens.picture.num_soft_tokens) = tokens.rows->rows.rows();
      (is_sound ? tokens.sound.encode_time : tokens.picture.encode_time) =
          outcome->time - medium.start_time - tokens.picture.preprocess_time;
      context.Send("tokens", graph::Packet::Make(std::move(tokens), medium.pending.time()), medium.pending);
    }
    medium.pending.Done();
    at_work_.pop_front();
  }
  return false;
}

}  // namespace percept::nodes
