// SPDX-License-Identifier: Apache-2.0
#include "engine/sequence_batch.h"

#include <algorithm>
#include <utility>

#include "engine/batch_zone.h"
#include "engine/failure_text.h"

namespace percept {
namespace {

StepLimits LimitsOfStep(const SequenceBatch::Limits& limits, int64_t longest_run = 0) {
  return {.max_rows = std::max(limits.prefill_chunk_rows, longest_run) + limits.max_sequences,
          .max_segments = limits.max_sequences,
          .max_output_rows = limits.max_sequences,
          .max_positions = limits.context_tokens};
}

}  // namespace

int64_t SequenceBatch::ScratchBytes(const TextConfig& config, const Limits& limits) {
  return Activations::BytesNeeded(config, LimitsOfStep(limits));
}

SequenceBatch::SequenceBatch(const TextDecoder& decoder, std::span<const int32_t> suppress_ids, const Limits& limits,
                             TraceSink* trace)
    : decoder_(decoder),
      sampler_(decoder.config().vocab_size, suppress_ids),
      limits_(limits),
      trace_(trace),
      activations_(decoder.config(), LimitsOfStep(limits)),
      pool_(decoder.config(), limits.prefill_chunk_rows, limits.kv_limit_bytes) {
  const auto most = static_cast<size_t>(limits.max_sequences);
  live_.reserve(most);
  ended_.reserve(most);
  work_.reserve(most);
  segments_.reserve(most);
}

int64_t SequenceBatch::PositionsOf(const Sequence& sequence) {
  // The last token picked is never fed back.
  return sequence.num_prompt_rows() + sequence.max_tokens - 1;
}

int64_t SequenceBatch::KvBytesOf(const Sequence& sequence) const {
  return pool_.layout().WithRoomFor(sequence.longest_run()).SequenceBytes(PositionsOf(sequence));
}

std::unique_ptr<KvCache> SequenceBatch::Reserve(const Sequence& sequence) {
  const StepLimits needed = LimitsOfStep(limits_, sequence.longest_run());
  if (needed.max_rows > activations_.limits.max_rows) {
    activations_ = Activations(decoder_.config(), needed);
  }
  return pool_.Reserve(PositionsOf(sequence), sequence.longest_run());
}

void SequenceBatch::Join(std::unique_ptr<Sequence> sequence) {
  PERCEPT_CHECK(!full() && sequence->cache != nullptr);
  sequence->started_at = Sequence::Clock::now();
  sequence->stats.queued = sequence->started_at - sequence->submitted_at;
  const auto place = std::upper_bound(live_.begin(), live_.end(), sequence->priority,
                                      [](int priority, const auto& other) { return priority > other->priority; });
  live_.insert(place, std::move(sequence));
}

void SequenceBatch::Cancel() {
  for (const auto& sequence : live_) {
    if (sequence->cancelled) {
      End(*sequence, FinishReason::kCancelled);
    }
  }
  MoveEnded();
}

void SequenceBatch::Step() {
  Compose();
  try {
    Forward();
  } catch (...) {
    const std::string failure = CurrentFailureText();
    for (const Work& work : work_) {
      if (!work.sequence->ended) {
        End(*work.sequence, FinishReason::kFailed, failure);
      }
    }
  }
  MoveEnded();
}

void SequenceBatch::Compose() {
  work_.clear();
  segments_.clear();
  int64_t prompt_rows_left = limits_.prefill_chunk_rows;
  for (const auto& sequence : live_) {
    const bool prefill = sequence->prefilling();
    const bool alone = prompt_rows_left == limits_.prefill_chunk_rows;
    const Segment segment = sequence->NextSegment(prompt_rows_left, alone);
    const auto num_rows = static_cast<int64_t>(segment.ids.size());
    if (num_rows == 0) {
      continue;
    }
    segments_.push_back(segment);
    work_.push_back({sequence.get(), num_rows, prefill});
    prompt_rows_left = std::max<int64_t>(0, prompt_rows_left - (prefill ? num_rows : 0));
  }
}

void SequenceBatch::Forward() {
  ForwardOutput output;
  {
    const BatchZone zone(*this);
    output = decoder_.Forward(segments_, activations_);
  }
  int64_t output_row = 0;
  for (size_t i = 0; i < work_.size(); ++i) {
    Sequence& sequence = *work_[i].sequence;
    sequence.num_rows_done += work_[i].num_rows;
    if (segments_[i].num_output_rows > 0) {
      Accept(sequence, {output.logits.row(output_row), static_cast<size_t>(output.logits.cols)});
      output_row += segments_[i].num_output_rows;
    }
  }
}

void SequenceBatch::TracePhase(TraceEvent::Phase phase) const {
  if (trace_ == nullptr) {
    return;
  }
  for (const Work& work : work_) {
    trace_->Record({phase, work.prefill ? "prefill" : "decode", work.sequence->id, work.num_rows});
  }
}

void SequenceBatch::Accept(Sequence& sequence, std::span<const float> logits) try {
  const auto draw = static_cast<uint64_t>(sequence.stats.num_output_tokens);
  TokenConstraint* const constraint = sequence.request.constraint.get();
  const int32_t token =
      sampler_.Pick(logits, sequence.request.sampling, draw, constraint == nullptr ? nullptr : constraint->Allowed());
  const auto now = Sequence::Clock::now();
  SequenceStats& stats = sequence.stats;
  if (sequence.num_rows_done == sequence.num_prompt_rows()) {
    sequence.first_token_at = now;
    stats.first_token = now - sequence.started_at;
  }
  if (std::binary_search(sequence.stop_ids.begin(), sequence.stop_ids.end(), token)) {
    stats.stop_id = token;
    End(sequence, FinishReason::kStop);
    return;
  }
  if (constraint != nullptr) {
    constraint->Push(token);
  }
  sequence.last_token = token;
  ++stats.num_output_tokens;
  Deliver(sequence, token, logits);
  if (sequence.loop_guard.Push(token)) {
    End(sequence, FinishReason::kLoop);
  } else if (stats.num_output_tokens == sequence.max_tokens) {
    End(sequence, FinishReason::kLength);
  }
} catch (...) {
  End(sequence, FinishReason::kFailed, CurrentFailureText());
}

void SequenceBatch::Deliver(Sequence& sequence, int32_t token, std::span<const float> logits) {
  if (const std::optional<int> num_top = sequence.request.top_logprobs) {
    const PickedLogprobs logprobs = LogprobsOf(logits, token, *num_top);
    sequence.listener->OnLogprobs({&logprobs, 1});
  }
  sequence.listener->OnTokens({&token, 1});
}

void SequenceBatch::End(Sequence& sequence, FinishReason finish, std::string failure) {
  sequence.ended = true;
  sequence.finish = finish;
  sequence.failure = std::move(failure);
  sequence.cache.reset();
}

void SequenceBatch::MoveEnded() {
  for (auto& sequence : live_) {
    if (sequence->ended) {
      ended_.push_back(std::move(sequence));
    }
  }
  std::erase(live_, nullptr);
}

std::unique_ptr<Sequence> SequenceBatch::TakeEnded() {
  if (ended_.empty()) {
    return nullptr;
  }
  std::unique_ptr<Sequence> ended = std::move(ended_.front());
  ended_.erase(ended_.begin());
  return ended;
}

}  // namespace percept
