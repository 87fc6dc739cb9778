// SPDX-License-Identifier: Apache-2.0
#include "engine/machine.h"

#include <algorithm>
#include <string>
#include <utility>

#include "decoder/state/draft_activations.h"
#include "engine/failure_text.h"
#include "engine/picture_batch.h"
#include "engine/request_check.h"
#include "engine/sound_batch.h"

namespace percept {
namespace {

constexpr int64_t kDefaultContextTokens = 8192;
constexpr int64_t kDefaultKvBytes = int64_t{1} << 30;

// The most tokens, of `most`, whose keys and values fit the limit; one where none do.
int64_t ContextWithin(int64_t kv_limit_bytes, const KvLayout& layout, int64_t most) {
  if (layout.block_bytes() == 0 || layout.SequenceBytes(most) <= kv_limit_bytes) {
    return most;
  }
  const int64_t blocks = (kv_limit_bytes - layout.ring_bytes()) / layout.block_bytes();
  return std::clamp<int64_t>(blocks * KvLayout::kBlockRows, 1, most);
}

SequenceBatch::Limits LimitsOf(const EngineOptions& options, bool drafts) {
  return {.max_sequences = options.max_sequences,
          .prefill_chunk_rows = options.prefill_chunk_rows,
          .context_tokens = options.context_tokens,
          .kv_limit_bytes = options.kv_limit_bytes,
          .prefix_limit_bytes = options.prefix_limit_bytes,
          .max_draft_tokens = drafts ? options.max_draft_tokens : 0};
}

// Fills in how many tokens and bytes there are where the options leave that open.
void FitContext(const TextConfig& config, bool drafts, EngineOptions* options) {
  const bool is_open = options->context_tokens == 0;
  if (is_open) {
    options->context_tokens = std::min<int64_t>(config.max_positions, kDefaultContextTokens);
  }
  options->prefill_chunk_rows = std::min(options->prefill_chunk_rows, options->context_tokens);
  const KvLayout layout(config, LimitsOf(*options, drafts).max_segment_rows());
  if (is_open && options->kv_limit_bytes > 0) {
    options->context_tokens = ContextWithin(options->kv_limit_bytes, layout, options->context_tokens);
  }
  const int64_t needed_bytes = layout.SequenceBytes(options->context_tokens);
  if (options->kv_limit_bytes == 0) {
    options->kv_limit_bytes = std::max(kDefaultKvBytes, needed_bytes);
  }
  if (needed_bytes > options->kv_limit_bytes) {
    throw ArgumentError("a context of " + std::to_string(options->context_tokens) + " tokens needs " +
                        std::to_string(needed_bytes) + " bytes for its keys and values; the limit is " +
                        std::to_string(options->kv_limit_bytes));
  }
}

// The options with defaults filled in, or ArgumentError.
EngineOptions Checked(const TextConfig& config, EngineOptions options, bool drafts) {
  RequireAtLeast(0, options.context_tokens, "context_tokens");
  RequirePositive(options.prefill_chunk_rows, "prefill_chunk_rows");
  RequirePositive(options.max_sequences, "max_sequences");
  RequirePositive(options.max_tower_patches, "max_tower_patches");
  RequirePositive(options.max_sound_tokens, "max_sound_tokens");
  RequireAtLeast(0, options.kv_limit_bytes, "kv_limit_bytes");
  RequireAtLeast(0, options.prefix_limit_bytes, "prefix_limit_bytes");
  RequirePositive(options.max_draft_tokens, "max_draft_tokens");
  if (options.context_tokens > config.max_positions) {
    throw ArgumentError("context_tokens is " + std::to_string(options.context_tokens) +
                        ": the model was made for at most " + std::to_string(config.max_positions));
  }
  FitContext(config, drafts, &options);
  return options;
}

EngineOptions Checked(const EngineParts& parts, const EngineOptions& options) {
  if (options.executor == nullptr) {
    throw ArgumentError("an engine needs an executor for its steps");
  }
  PERCEPT_CHECK(parts.decoder != nullptr);
  return Checked(parts.decoder->config(), options, parts.drafter != nullptr);
}

TraceEvent SubmitEvent(const Medium& medium) {
  return {TraceEvent::Phase::kInstant, medium.words.submit, medium.id, medium.num_rows};
}

TraceEvent SubmitEvent(const Sequence& sequence) {
  return {TraceEvent::Phase::kInstant, "submit sequence", sequence.id, sequence.num_prompt_rows()};
}

TraceEvent EndEvent(const Medium& medium) {
  return {TraceEvent::Phase::kInstant, medium.words.done, medium.id, medium.complete ? medium.tokens->rows.rows() : 0};
}

TraceEvent EndEvent(const Sequence& sequence) {
  return {TraceEvent::Phase::kInstant, "finish sequence", sequence.id, sequence.stats.num_output_tokens};
}

}  // namespace

EngineMemory MemoryOf(const TextConfig& config, const EngineOptions& options, const TextConfig* drafter) {
  const EngineOptions checked = Checked(config, options, drafter != nullptr);
  const SequenceBatch::Limits limits = LimitsOf(checked, drafter != nullptr);
  const int64_t draft_bytes =
      drafter == nullptr ? 0 : DraftActivations::BytesNeeded(*drafter, checked.max_sequences, checked.context_tokens);
  return {.context_tokens = checked.context_tokens,
          .step_bytes = SequenceBatch::ScratchBytes(config, limits) + draft_bytes,
          .sequence_bytes = KvBytesNeeded(config, checked.context_tokens, limits.max_segment_rows()),
          .kv_limit_bytes = checked.kv_limit_bytes};
}

Engine::Machine::Machine(const EngineParts& parts, const EngineOptions& options)
    : parts_(parts),
      options_(Checked(parts, options)),
      sequences_(*parts.decoder, parts_.suppress_ids, LimitsOf(options_, parts.drafter != nullptr), options_.trace) {
  if (parts_.drafter != nullptr) {
    sequences_.DraftWith(*parts_.drafter, options_.adaptive_drafts);
  }
  if (parts_.vision != nullptr) {
    pictures_.batch = std::make_unique<PictureBatch>(*parts_.vision, options_.max_tower_patches, options_.trace);
  }
  if (parts_.audio != nullptr) {
    sounds_.batch = std::make_unique<SoundBatch>(*parts_.audio, options_.max_sound_tokens, options_.trace);
  } else if (parts_.frames != nullptr) {
    sounds_.batch = std::make_unique<FrameBatch>(*parts_.frames, options_.max_sound_tokens, options_.trace);
  }
}

Engine::Machine::~Machine() {
  std::unique_lock lock(mutex_);
  for (const auto& [id, cancelled] : cancel_flags_) {
    cancelled->store(true);
  }
  idle_.wait(lock, [this] { return !scheduled_; });
}

RequestId Engine::Machine::SubmitPicture(ImagePatches picture, std::shared_ptr<MediumListener> listener,
                                         const Urgency& urgency) {
  if (pictures_.batch == nullptr) {
    throw ArgumentError("this model has no vision tower");
  }
  RequireUsable(picture, *parts_.vision);
  const PatchGrid grid = picture.grid;
  return Enter(std::make_unique<Medium>(pictures_.batch->words(), std::move(picture), grid.num_patches(),
                                        Matrix(grid.num_soft_tokens(), parts_.decoder->config().hidden_size),
                                        std::move(listener), urgency),
               pictures_.waiting);
}

RequestId Engine::Machine::SubmitSound(std::vector<float> samples, std::shared_ptr<MediumListener> listener,
                                       const Urgency& urgency) {
  if (sounds_.batch == nullptr) {
    throw ArgumentError("this model has no audio encoder");
  }
  RequireUsable(samples, parts_.audio);
  const auto num_samples = static_cast<int64_t>(samples.size());
  const int64_t num_tokens =
      parts_.audio != nullptr ? AudioTower::NumSoftTokens(num_samples) : parts_.frames->NumSoftTokens(num_samples);
  return Enter(
      std::make_unique<Medium>(sounds_.batch->words(), std::move(samples), num_tokens,
                               Matrix(num_tokens, parts_.decoder->config().hidden_size), std::move(listener), urgency),
      sounds_.waiting);
}

RequestId Engine::Machine::SubmitSequence(SequenceRequest request, std::shared_ptr<SequenceListener> listener) {
  RequireUsable(request, parts_.decoder->config(), options_.context_tokens);
  auto sequence = std::make_unique<Sequence>(std::move(request), parts_.decoder->config(), std::move(listener));
  sequence->max_tokens = std::min(sequence->request.max_tokens, options_.context_tokens - sequence->num_prompt_rows());
  sequence->ends_with_context = sequence->max_tokens < sequence->request.max_tokens;
  sequence->stop_ids = parts_.stop_ids;
  sequence->stop_ids.insert(sequence->stop_ids.end(), sequence->request.extra_stop_ids.begin(),
                            sequence->request.extra_stop_ids.end());
  std::sort(sequence->stop_ids.begin(), sequence->stop_ids.end());
  if (parts_.drafter != nullptr) {
    sequence->draft.reserve(static_cast<size_t>(options_.max_draft_tokens + 1));
    sequence->hidden.resize(static_cast<size_t>(parts_.decoder->config().hidden_size));
  }
  const int64_t kv_bytes = sequences_.KvBytesOf(*sequence);
  if (kv_bytes > options_.kv_limit_bytes) {
    throw InputError("a prompt of " + std::to_string(sequence->num_prompt_rows()) + " tokens with " +
                     std::to_string(sequence->max_tokens) + " tokens of answer needs " + std::to_string(kv_bytes) +
                     " bytes for keys and values; the limit is " + std::to_string(options_.kv_limit_bytes));
  }
  return Enter(std::move(sequence), waiting_sequences_);
}

template <typename Request>
RequestId Engine::Machine::Enter(std::unique_ptr<Request> request, RequestLine<Request>& line) {
  PERCEPT_CHECK(request->listener != nullptr);
  const RequestId id = ++last_id_;
  request->id = id;
  Trace(SubmitEvent(*request));
  bool idle = false;
  {
    const std::lock_guard lock(mutex_);
    cancel_flags_.emplace(id, &request->cancelled);
    line.Add(std::move(request));
    idle = !std::exchange(scheduled_, true);
  }
  if (idle) {
    options_.executor->Enqueue(*this);
  }
  return id;
}

void Engine::Machine::Cancel(RequestId id) {
  const std::lock_guard lock(mutex_);
  const auto found = cancel_flags_.find(id);
  if (found != cancel_flags_.end()) {
    found->second->store(true);
  }
}

EngineCounts Engine::Machine::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void Engine::Machine::Run() {
  const Urgency::Clock::time_point now = options_.now ? options_.now() : Urgency::Clock::now();
  for (Tower* tower : {&pictures_, &sounds_}) {
    if (tower->batch != nullptr) {
      MoveIn(tower->waiting, *tower->batch, now);
    }
  }
  MoveIn(waiting_sequences_, sequences_, now);
  RunStep();
  FinishEnded();
  bool more = false;
  {
    const std::lock_guard lock(mutex_);
    more = !pictures_.waiting.empty() || !sounds_.waiting.empty() || !waiting_sequences_.empty() ||
           pictures_.pending() || sounds_.pending() || !sequences_.empty();
    scheduled_ = more;
    counts_ = sequences_.counts();
    if (!more) {
      idle_.notify_all();
    }
  }
  if (more) {
    options_.executor->Enqueue(*this);
  }
}

// Those that are cancelled or late go first.
template <typename Request, typename Batch>
void Engine::Machine::MoveIn(RequestLine<Request>& line, Batch& batch, Urgency::Clock::time_point now) {
  Leave(line, now);
  batch.Leave(now);
  LetIn(line, batch);
}

template <typename Request>
void Engine::Machine::Leave(RequestLine<Request>& line, Urgency::Clock::time_point now) {
  while (true) {
    std::unique_ptr<Request> leaving;
    {
      const std::lock_guard lock(mutex_);
      leaving = line.TakeLeaving(now);
    }
    if (leaving == nullptr) {
      return;
    }
    if (!leaving->cancelled) {  // kCancelled is what a request says that never began
      leaving->finish = FinishReason::kExpired;
      leaving->failure = "the deadline passed before the first step";
    }
    Finish(std::move(leaving));
  }
}

// Strictly in order: a long sequence that has to wait for room is not overtaken until it never gets any.
template <typename Request, typename Batch>
void Engine::Machine::LetIn(RequestLine<Request>& line, Batch& batch) {
  const auto take = [&](const Request* request) {
    const std::lock_guard lock(mutex_);
    return line.Take(request);
  };
  while (true) {
    Request* next = nullptr;  // stays where it is meanwhile: steps alone take from the line
    {
      const std::lock_guard lock(mutex_);
      next = line.empty() ? nullptr : line.front();
    }
    if (next == nullptr) {
      return;
    }
    bool has_room = false;
    try {
      has_room = batch.Reserve(*next);
    } catch (...) {
      next->finish = FinishReason::kFailed;
      next->failure = CurrentFailureText();
      Finish(take(next));
      continue;
    }
    if (!has_room) {
      return;
    }
    batch.Join(take(next));
  }
}

// The one whose turn it is, of those that have work; null where none has.
Engine::Machine::Tower* Engine::Machine::NextTower() {
  Tower* first = last_tower_ == &pictures_ ? &sounds_ : &pictures_;
  Tower* second = first == &pictures_ ? &sounds_ : &pictures_;
  if (first->pending()) {
    return first;
  }
  return second->pending() ? second : nullptr;
}

void Engine::Machine::RunStep() {
  Tower* const tower = NextTower();
  if (tower != nullptr && (sequences_.empty() || !last_was_tower_)) {
    last_was_tower_ = true;
    last_tower_ = tower;
    tower->batch->Step();
  } else if (!sequences_.empty()) {
    last_was_tower_ = false;
    sequences_.Step();
  }
}

void Engine::Machine::FinishEnded() {
  for (Tower* tower : {&pictures_, &sounds_}) {
    while (std::unique_ptr<Medium> medium = tower->batch != nullptr ? tower->batch->TakeEnded() : nullptr) {
      Finish(std::move(medium));
    }
  }
  while (std::unique_ptr<Sequence> sequence = sequences_.TakeEnded()) {
    Finish(std::move(sequence));
  }
}

template <typename Request>
void Engine::Machine::Finish(std::unique_ptr<Request> request) {
  {
    const std::lock_guard lock(mutex_);
    cancel_flags_.erase(request->id);
  }
  Trace(EndEvent(*request));
  request->Finish();
}

void Engine::Machine::Trace(const TraceEvent& event) const {
  if (options_.trace != nullptr) {
    options_.trace->Record(event);
  }
}

}  // namespace percept
