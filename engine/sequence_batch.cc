// SPDX-License-Identifier: Apache-2.0
#include "engine/sequence_batch.h"

#include <algorithm>
#include <utility>

#include "engine/batch_zone.h"
#include "engine/failure_text.h"
#include "engine/request_line.h"

namespace percept {
namespace {

constexpr int64_t kScoredRows = 64;  // of a step, beside those from which tokens are picked

StepLimits LimitsOfStep(const SequenceBatch::Limits& limits, int64_t longest_run = 0) {
  return {.max_rows = std::max(limits.prefill_chunk_rows, longest_run) + limits.max_sequences + limits.max_draft_rows(),
          .max_segments = limits.max_sequences,
          .max_output_rows = limits.max_sequences + limits.max_draft_rows(),
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
      pool_(decoder.config(), limits.max_segment_rows(), limits.kv_limit_bytes),
      prefixes_(pool_, limits.prefix_limit_bytes) {
  const auto most = static_cast<size_t>(limits.max_sequences);
  live_.reserve(most);
  ended_.reserve(most);
  work_.reserve(most);
  segments_.reserve(most);
}

void SequenceBatch::DraftWith(const Drafter& drafter, bool adaptive) {
  drafting_ = std::make_unique<Drafting>(drafter, Drafting::Limits{.max_sequences = limits_.max_sequences,
                                                                   .max_tokens = limits_.max_draft_tokens,
                                                                   .max_rows = limits_.max_draft_rows(),
                                                                   .max_positions = limits_.context_tokens,
                                                                   .adaptive = adaptive});
}

int64_t SequenceBatch::PositionsOf(const Sequence& sequence) {
  // The last token picked is never fed back.
  return sequence.num_prompt_rows() + sequence.max_tokens - 1;
}

int64_t SequenceBatch::KvBytesOf(const Sequence& sequence) const {
  return pool_.layout().WithRoomFor(sequence.longest_run()).SequenceBytes(PositionsOf(sequence));
}

bool SequenceBatch::Reserve(Sequence& sequence) {
  if (full()) {
    return false;
  }
  std::shared_ptr<const Prefix> start = prefixes_.Find(sequence);
  if (prefixes_.IsComing(sequence, start == nullptr ? 0 : start->num_rows())) {
    return false;
  }
  MakeScratch(sequence);
  sequence.cache = MakeRoom(sequence, &start);
  if (sequence.cache == nullptr) {
    return false;
  }
  sequence.num_rows_done = sequence.stats.num_reused_rows = sequence.cache->num_positions();
  counts_.num_prompt_rows += sequence.num_prompt_rows();
  if (start != nullptr) {
    prefixes_.Touch(*start);
    ++counts_.num_prefix_hits;
    counts_.num_reused_rows += sequence.num_rows_done;
  }
  counts_.num_unkept_prefixes += prefixes_.Prepare(sequence);
  return true;
}

void SequenceBatch::MakeScratch(const Sequence& sequence) {
  const StepLimits& given = activations_.limits;
  StepLimits needed = LimitsOfStep(limits_, sequence.longest_run());
  needed.max_rows = std::max(needed.max_rows, given.max_rows);
  needed.max_output_rows += sequence.request.prompt_logprobs ? kScoredRows : 0;
  needed.max_output_rows = std::max(needed.max_output_rows, given.max_output_rows);
  if (needed != given) {
    activations_ = Activations(decoder_.config(), needed);
  }
}

// Beginnings are thrown out only where that helps, `start` as the last of them.
std::unique_ptr<KvCache> SequenceBatch::MakeRoom(const Sequence& sequence, std::shared_ptr<const Prefix>* start) {
  const int64_t positions = PositionsOf(sequence);
  const int64_t longest_run = sequence.longest_run();
  const bool has_room = pool_.HasRoomBesideCaches(positions, longest_run);
  while (true) {
    auto cache = pool_.Reserve(positions, longest_run, *start == nullptr ? nullptr : (*start)->snapshot.get());
    if (cache != nullptr || !has_room) {
      return cache;
    }
    if (!prefixes_.EvictOldest(start->get())) {
      PERCEPT_CHECK(*start != nullptr);
      prefixes_.Evict(**start);
      start->reset();
    }
  }
}

EngineCounts SequenceBatch::counts() const {
  EngineCounts counts = counts_;
  counts.num_prefixes = prefixes_.num_prefixes();
  counts.prefix_bytes = prefixes_.size_bytes();
  counts.kv_bytes = pool_.reserved_bytes();
  return counts;
}

void SequenceBatch::Join(std::unique_ptr<Sequence> sequence) {
  PERCEPT_CHECK(!full() && sequence->cache != nullptr);
  sequence->started_at = Sequence::Clock::now();
  sequence->stats.queued = sequence->started_at - sequence->submitted_at;
  const auto place = std::upper_bound(live_.begin(), live_.end(), sequence->urgency.priority, IsBefore<Sequence>);
  live_.insert(place, std::move(sequence));
}

void SequenceBatch::Leave(Urgency::Clock::time_point now) {
  for (const auto& sequence : live_) {
    if (sequence->cancelled) {
      End(*sequence, FinishReason::kCancelled);
    } else if (sequence->urgency.IsOver(now)) {
      End(*sequence, FinishReason::kExpired, sequence->ExpiryText());
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
  int64_t scored_rows_left = activations_.limits.max_output_rows - LimitsOfStep(limits_).max_output_rows;
  for (const auto& sequence : live_) {
    const bool prefill = sequence->prefilling();
    const bool alone = prompt_rows_left == limits_.prefill_chunk_rows;
    const Segment segment = sequence->NextSegment(prompt_rows_left, alone, scored_rows_left + 1);
    const auto num_rows = static_cast<int64_t>(segment.ids.size());
    if (num_rows == 0) {
      continue;
    }
    segments_.push_back(segment);
    work_.push_back({sequence.get(), num_rows, prefill});
    scored_rows_left -= std::max<int64_t>(0, segment.num_output_rows - 1);
    prompt_rows_left = std::max<int64_t>(0, prompt_rows_left - (prefill ? num_rows : 0));
  }
}

void SequenceBatch::Forward() {
  if (drafting_ != nullptr) {
    Draft();
  }
  ForwardOutput output;
  {
    const BatchZone zone(*this);
    output = decoder_.Forward(segments_, activations_);
  }
  AcceptStep(output);
  if (drafting_ != nullptr) {
    drafting_->EndStep();
  }
}

// Of a prompt's rows at most the last gives a token; what comes before it is scored.
void SequenceBatch::AcceptStep(const ForwardOutput& output) {
  int64_t output_row = 0;
  for (size_t i = 0; i < work_.size(); ++i) {
    const Work& work = work_[i];
    Sequence& sequence = *work.sequence;
    prefixes_.Fill(sequence);
    int64_t num_rows = segments_[i].num_output_rows;
    if (work.prefill) {
      const int64_t num_picked = sequence.num_rows_done + work.num_rows == sequence.num_prompt_rows() ? 1 : 0;
      sequence.num_rows_done += work.num_rows - num_rows;
      Score(sequence, output, output_row, num_rows - num_picked);
      output_row += num_rows - num_picked;
      num_rows = num_picked;
    }
    if (num_rows > 0 && !sequence.ended) {
      const int64_t num_used = AcceptRows(sequence, output, output_row, num_rows);
      if (drafting_ != nullptr) {
        drafting_->Judge(sequence, num_rows, num_used, output.hidden, output_row + num_used - 1);
      }
    }
    output_row += num_rows;
  }
}

void SequenceBatch::Score(Sequence& sequence, const ForwardOutput& output, int64_t first_row, int64_t num_rows) try {
  for (int64_t i = 0; i < num_rows; ++i) {
    const int64_t row = ++sequence.num_rows_done;
    const MatrixView logits = output.logits.Rows(first_row + i, 1);
    sequence.listener->OnPromptLogprobs(row, LogprobsOf({logits.data, static_cast<size_t>(logits.cols)},
                                                        sequence.request.prompt.ids[static_cast<size_t>(row)],
                                                        sequence.request.prompt_logprobs->num_top));
  }
} catch (...) {
  End(sequence, FinishReason::kFailed, CurrentFailureText());
}

void SequenceBatch::Draft() {
  drafting_->BeginStep();
  for (const Work& work : work_) {
    if (work.prefill) {
      drafting_->BesidePrompt();
    } else {
      drafting_->Add(*work.sequence);
    }
  }
  drafting_->Draft(trace_);
  for (size_t i = 0; i < work_.size(); ++i) {
    const std::vector<int32_t>& draft = work_[i].sequence->draft;
    if (!work_[i].prefill) {
      segments_[i].ids = draft;
      segments_[i].num_output_rows = work_[i].num_rows = static_cast<int64_t>(draft.size());
    }
  }
}

// As many rows as give a token: the first does, and each after a token that was guessed right. Returns their number.
int64_t SequenceBatch::AcceptRows(Sequence& sequence, const ForwardOutput& output, int64_t first_row,
                                  int64_t num_rows) {
  int64_t num_used = 0;
  bool follows = true;
  while (follows) {
    const MatrixView logits = output.logits.Rows(first_row + num_used, 1);
    ++num_used;
    ++sequence.num_rows_done;
    Accept(sequence, {logits.data, static_cast<size_t>(logits.cols)});
    follows = num_used < num_rows && !sequence.ended && !sequence.cancelled &&
              sequence.last_token == sequence.draft[static_cast<size_t>(num_used)];
  }
  if (!sequence.ended) {
    sequence.cache->Retract(num_rows - num_used);
  }
  return num_used;
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
  if (sequence.IsStop(token)) {
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
    EndAtMost(sequence);
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

// With as many tokens as it may have.
void SequenceBatch::EndAtMost(Sequence& sequence) {
  if (!sequence.ends_with_context) {
    return End(sequence, FinishReason::kLength);
  }
  End(sequence, FinishReason::kContextFull,
      "the context of " + std::to_string(limits_.context_tokens) +
          " tokens is full: " + std::to_string(sequence.num_prompt_rows()) + " of the prompt and " +
          std::to_string(sequence.stats.num_output_tokens) + " of the answer");
}

void SequenceBatch::End(Sequence& sequence, FinishReason finish, std::string failure) {
  sequence.ended = true;
  sequence.finish = finish;
  sequence.failure = std::move(failure);
  prefixes_.Abandon(sequence);
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
