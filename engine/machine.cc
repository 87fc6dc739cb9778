// SPDX-License-Identifier: Apache-2.0
#include "engine/machine.h"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/failure_text.h"
#include "engine/request_check.h"

namespace percept {
namespace {

constexpr int64_t kDefaultContextTokens = 8192;

// The options with defaults filled in, or ArgumentError.
EngineOptions Checked(const TextConfig& config, EngineOptions options) {
  const int64_t most = config.max_positions;
  if (options.context_tokens == 0) {
    options.context_tokens = std::min(most, kDefaultContextTokens);
  }
  RequirePositive(options.context_tokens, "context_tokens");
  RequirePositive(options.prefill_chunk_rows, "prefill_chunk_rows");
  RequirePositive(options.max_sequences, "max_sequences");
  RequirePositive(options.max_tower_patches, "max_tower_patches");
  RequirePositive(options.kv_limit_bytes, "kv_limit_bytes");
  if (options.context_tokens > most) {
    throw ArgumentError("context_tokens is " + std::to_string(options.context_tokens) +
                        ": the model was made for at most " + std::to_string(most));
  }
  options.prefill_chunk_rows = std::min(options.prefill_chunk_rows, options.context_tokens);
  return options;
}

EngineOptions Checked(const EngineParts& parts, const EngineOptions& options) {
  if (options.executor == nullptr) {
    throw ArgumentError("an engine needs an executor for its steps");
  }
  PERCEPT_CHECK(parts.decoder != nullptr);
  return Checked(parts.decoder->config(), options);
}

SequenceBatch::Limits LimitsOf(const EngineOptions& options) {
  return {.max_sequences = options.max_sequences,
          .prefill_chunk_rows = options.prefill_chunk_rows,
          .context_tokens = options.context_tokens,
          .kv_limit_bytes = options.kv_limit_bytes};
}

TraceEvent SubmitEvent(const Picture& picture) {
  return {TraceEvent::Phase::kInstant, "submit picture", picture.id, picture.patches.grid.num_patches()};
}

TraceEvent SubmitEvent(const Sequence& sequence) {
  return {TraceEvent::Phase::kInstant, "submit sequence", sequence.id, sequence.num_prompt_rows()};
}

TraceEvent EndEvent(const Picture& picture) {
  return {TraceEvent::Phase::kInstant, "picture done", picture.id, picture.complete ? picture.tokens->rows.rows() : 0};
}

TraceEvent EndEvent(const Sequence& sequence) {
  return {TraceEvent::Phase::kInstant, "finish sequence", sequence.id, sequence.stats.num_output_tokens};
}

}  // namespace

EngineMemory MemoryOf(const TextConfig& config, const EngineOptions& options) {
  const EngineOptions checked = Checked(config, options);
  return {.context_tokens = checked.context_tokens,
          .step_bytes = SequenceBatch::ScratchBytes(config, LimitsOf(checked)),
          .sequence_bytes = KvBytesNeeded(config, checked.context_tokens, checked.prefill_chunk_rows),
          .kv_limit_bytes = checked.kv_limit_bytes};
}

Engine::Machine::Machine(const EngineParts& parts, const EngineOptions& options)
    : parts_(parts),
      options_(Checked(parts, options)),
      sequences_(*parts.decoder, parts_.suppress_ids, LimitsOf(options_), options_.trace) {
  if (parts_.vision != nullptr) {
    tower_.emplace(*parts_.vision, options_.max_tower_patches, options_.trace);
  }
}

Engine::Machine::~Machine() {
  std::unique_lock lock(mutex_);
  for (const auto& [id, cancelled] : cancel_flags_) {
    cancelled->store(true);
  }
  idle_.wait(lock, [this] { return !scheduled_; });
}

RequestId Engine::Machine::SubmitPicture(ImagePatches picture, std::shared_ptr<PictureListener> listener) {
  if (!tower_) {
    throw ArgumentError("this model has no vision tower");
  }
  RequireUsable(picture, *parts_.vision);
  return Enter(std::make_unique<Picture>(std::move(picture), parts_.decoder->config().hidden_size, std::move(listener)),
               waiting_pictures_);
}

RequestId Engine::Machine::SubmitSequence(SequenceRequest request, std::shared_ptr<SequenceListener> listener) {
  RequireUsable(request, parts_.decoder->config(), options_.context_tokens);
  auto sequence = std::make_unique<Sequence>(std::move(request), parts_.decoder->config(), std::move(listener));
  sequence->max_tokens = std::min(sequence->request.max_tokens, options_.context_tokens - sequence->num_prompt_rows());
  sequence->stop_ids = parts_.stop_ids;
  sequence->stop_ids.insert(sequence->stop_ids.end(), sequence->request.extra_stop_ids.begin(),
                            sequence->request.extra_stop_ids.end());
  std::sort(sequence->stop_ids.begin(), sequence->stop_ids.end());
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

void Engine::Machine::Run() {
  LeaveCancelled(waiting_pictures_);
  LeaveCancelled(waiting_sequences_);
  if (tower_) {
    tower_->Cancel();
    LetPicturesIn();
  }
  sequences_.Cancel();
  LetSequencesIn();
  RunStep();
  FinishEnded();
  bool more = false;
  {
    const std::lock_guard lock(mutex_);
    more = !waiting_pictures_.empty() || !waiting_sequences_.empty() || TowerPending() || !sequences_.empty();
    scheduled_ = more;
    if (!more) {
      idle_.notify_all();
    }
  }
  if (more) {
    options_.executor->Enqueue(*this);
  }
}

template <typename Request>
void Engine::Machine::LeaveCancelled(RequestLine<Request>& line) {
  while (true) {
    std::unique_ptr<Request> cancelled;
    {
      const std::lock_guard lock(mutex_);
      cancelled = line.TakeCancelled();
    }
    if (cancelled == nullptr) {
      return;
    }
    Finish(std::move(cancelled));  // kCancelled is what a request says that never began
  }
}

void Engine::Machine::LetPicturesIn() {
  const std::lock_guard lock(mutex_);
  while (!waiting_pictures_.empty() && tower_->HasRoomFor(*waiting_pictures_.front())) {
    tower_->Join(waiting_pictures_.Take(waiting_pictures_.front()));
  }
}

// Strictly in order: a long sequence that has to wait for room is not overtaken until it never gets any.
void Engine::Machine::LetSequencesIn() {
  const auto take = [this](const Sequence* sequence) {
    const std::lock_guard lock(mutex_);
    return waiting_sequences_.Take(sequence);
  };
  while (!sequences_.full()) {
    Sequence* next = nullptr;  // stays where it is meanwhile: steps alone take from the line
    {
      const std::lock_guard lock(mutex_);
      next = waiting_sequences_.empty() ? nullptr : waiting_sequences_.front();
    }
    if (next == nullptr) {
      return;
    }
    try {
      next->cache = sequences_.Reserve(*next);
    } catch (...) {
      next->finish = FinishReason::kFailed;
      next->failure = CurrentFailureText();
      Finish(take(next));
      continue;
    }
    if (next->cache == nullptr) {
      return;
    }
    sequences_.Join(take(next));
  }
}

void Engine::Machine::RunStep() {
  if (TowerPending() && (sequences_.empty() || !last_was_tower_)) {
    last_was_tower_ = true;
    tower_->Step();
  } else if (!sequences_.empty()) {
    last_was_tower_ = false;
    sequences_.Step();
  }
}

void Engine::Machine::FinishEnded() {
  while (std::unique_ptr<Picture> picture = tower_ ? tower_->TakeEnded() : nullptr) {
    Finish(std::move(picture));
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
