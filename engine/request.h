// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/text/prompt.h"
#include "decoder/text/sampling.h"
#include "decoder/text/token_constraint.h"
#include "kernels/core/tensor.h"

namespace percept {

// What an engine calls a picture or a sequence it was given. Never 0, never used twice by one engine.
using RequestId = uint64_t;

// What an encoder made of one picture, frame or clip: rows that stand in the prompt as they are (no embedding scale).
struct SoftTokens {
  Matrix rows;  // [soft tokens, decoder hidden]

  size_t size_bytes() const { return rows.size_bytes(); }
};

enum class FinishReason : uint8_t {
  kStop,       // the model ended its answer
  kLength,     // max_tokens, or the end of the context
  kLoop,       // the answer wrote the same again and again
  kCancelled,  // by Cancel, or because the engine was destroyed
  kFailed,     // a step failed; the reason is given in words
};

std::string_view FinishReasonName(FinishReason reason);  // "stop", "length", "loop", "cancelled", "failed"

struct SequenceStats {
  int64_t num_prompt_rows = 0;
  int64_t num_output_tokens = 0;           // as delivered, without the stop token
  std::optional<int32_t> stop_id;          // the token that ended the answer, with kStop
  std::chrono::nanoseconds queued{};       // from submission to the first step
  std::chrono::nanoseconds first_token{};  // from the first step to the first token picked
  std::chrono::nanoseconds decode{};       // from there to the end
};

// Both listeners: called on the thread of a step, outside the engine's locks, for one request never by two threads at
// once. They must neither block nor throw, and may submit and cancel. The last call of a request is the terminal one;
// it comes exactly once, and afterwards the engine drops its reference.
class PictureListener {
 public:
  virtual ~PictureListener() = default;

  // Terminal.
  virtual void OnSoftTokens(std::shared_ptr<const SoftTokens> tokens) = 0;
  // Terminal: kCancelled or kFailed. `reason` is empty for kCancelled.
  virtual void OnPictureFailed(FinishReason finish, std::string reason) = 0;
};

class SequenceListener {
 public:
  virtual ~SequenceListener() = default;

  // Where the request asked for them: of the tokens that the next OnTokens brings, in their order.
  virtual void OnLogprobs(std::span<const PickedLogprobs> /*logprobs*/) {}
  // New tokens of the answer, in order, at least one. Never a stop token.
  virtual void OnTokens(std::span<const int32_t> ids) = 0;
  // Terminal. `reason` is empty but for kFailed.
  virtual void OnFinish(FinishReason finish, std::string reason, const SequenceStats& stats) = 0;
};

struct SequenceRequest {
  Prompt prompt;
  // Soft tokens of prompt.spans, in their order.
  std::vector<std::shared_ptr<const SoftTokens>> media;
  int64_t max_tokens = 512;
  std::vector<int32_t> extra_stop_ids;  // beside those of the checkpoint
  Sampling sampling;                    // greedy, unless it says otherwise
  std::optional<int> top_logprobs;      // asks for log-probabilities: of each token picked and of so many likeliest
  // What the answer may be, made for this request alone (Model::Constrain); null: anything.
  std::shared_ptr<TokenConstraint> constraint;
  int64_t max_repeats = 0;  // a block of tokens written so often in a row ends the answer; 0: none does
  int priority = 0;         // higher first; equal ones in the order of submission
};

}  // namespace percept
