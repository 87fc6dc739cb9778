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

// What an engine calls a picture, a clip or a sequence it was given. Never 0, never used twice by one engine.
using RequestId = uint64_t;

// What an encoder made of one picture, frame or clip: rows that stand in the prompt as they are (no embedding scale).
struct SoftTokens {
  Matrix rows;  // [soft tokens, decoder hidden]

  size_t size_bytes() const { return rows.size_bytes(); }
};

// When a request wants its turn, beside the others of its engine.
struct Urgency {
  using Clock = std::chrono::steady_clock;

  int priority = 0;                           // higher first; equal ones in the order of submission
  std::optional<Clock::time_point> deadline;  // from then on no step works for it any more: it ends as kExpired

  bool IsOver(Clock::time_point now) const { return deadline && *deadline <= now; }
};

enum class FinishReason : uint8_t {
  kStop,         // the model ended its answer
  kLength,       // max_tokens
  kContextFull,  // prompt and answer fill the context; the numbers are given in words
  kLoop,         // the answer wrote the same again and again
  kExpired,      // its deadline passed; how far it was is given in words
  kCancelled,    // by Cancel, or because the engine was destroyed
  kFailed,       // a step failed; the reason is given in words
};

// "stop", "length", "context_full", "loop", "expired", "cancelled", "failed".
std::string_view FinishReasonName(FinishReason reason);

struct SequenceStats {
  int64_t num_prompt_rows = 0;
  int64_t num_reused_rows = 0;             // of the prompt, that another request had computed
  int64_t num_output_tokens = 0;           // as delivered, without the stop token
  int64_t num_drafted_tokens = 0;          // by a drafter
  int64_t num_accepted_tokens = 0;         // of these: the model picked the same
  std::optional<int32_t> stop_id;          // the token that ended the answer, with kStop
  std::chrono::nanoseconds queued{};       // from submission to the first step
  std::chrono::nanoseconds first_token{};  // from the first step to the first token picked
  std::chrono::nanoseconds decode{};       // from there to the end
};

// What an engine has done so far, and keeps now.
struct EngineCounts {
  int64_t num_prompt_rows = 0;      // of the sequences that got a place
  int64_t num_prefix_hits = 0;      // of these sequences: began behind rows that another had computed
  int64_t num_reused_rows = 0;      // such rows
  int64_t num_prefixes = 0;         // beginnings of prompts that are kept
  int64_t num_unkept_prefixes = 0;  // that were to be kept, and for which there was no room
  int64_t prefix_bytes = 0;         // that count against EngineOptions::prefix_limit_bytes
  int64_t kv_bytes = 0;             // keys and values of sequences and beginnings
};

// Asks for log-probabilities of the prompt's own tokens, each after what stands before it.
struct PromptLogprobs {
  int64_t first_row = 1;  // that is asked for; the prompt's first token has none
  int num_top = 0;        // of the likeliest tokens beside it
};

// Both listeners: called on the thread of a step, outside the engine's locks, for one request never by two threads at
// once. They must neither block nor throw, and may submit and cancel. The last call of a request is the terminal one;
// it comes exactly once, and afterwards the engine drops its reference.
class MediumListener {
 public:
  virtual ~MediumListener() = default;

  // Terminal.
  virtual void OnSoftTokens(std::shared_ptr<const SoftTokens> tokens) = 0;
  // Terminal: kExpired, kCancelled or kFailed. `reason` is empty for kCancelled.
  virtual void OnMediumFailed(FinishReason finish, std::string reason) = 0;
};

class SequenceListener {
 public:
  virtual ~SequenceListener() = default;

  // Where the request asked for them: of the tokens that the next OnTokens brings, in their order.
  virtual void OnLogprobs(std::span<const PickedLogprobs> /*logprobs*/) {}
  // Where the request asked for them: of the prompt's token at `row`, row after row, before any token of the answer.
  // The rows of a medium have none.
  virtual void OnPromptLogprobs(int64_t /*row*/, const PickedLogprobs& /*logprobs*/) {}
  // New tokens of the answer, in order, at least one. Never a stop token.
  virtual void OnTokens(std::span<const int32_t> ids) = 0;
  // Terminal. `reason` is empty but for kFailed, kExpired and kContextFull.
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
  std::optional<PromptLogprobs> prompt_logprobs;
  // What the answer may be, made for this request alone (Model::Constrain); null: anything.
  std::shared_ptr<TokenConstraint> constraint;
  int64_t max_repeats = 0;  // a block of tokens written so often in a row ends the answer; 0: none does
  Urgency urgency;
  // Rows in front of which the prompt may be the same as that of other requests, beside those around its media: the end
  // of instructions, of a conversation. What was computed up to there is kept for them. None lies inside a medium.
  std::vector<int64_t> cut_rows;
};

}  // namespace percept
