// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "engine/engine.h"
#include "engine/picture.h"
#include "engine/request_line.h"
#include "engine/sequence.h"
#include "engine/sequence_batch.h"
#include "engine/tower_batch.h"

namespace percept {

// What an Engine does. Requests wait in two lines under the lock; what is at work belongs to the step alone. A step
// takes cancelled requests out, lets waiting ones in, runs one tower layer or one decoder step, makes the terminal
// calls of what ended, and enqueues the next step if anything is left.
class Engine::Machine final : public StepTask {
 public:
  Machine(const EngineParts& parts, const EngineOptions& options);
  ~Machine() override;

  RequestId SubmitPicture(ImagePatches picture, std::shared_ptr<PictureListener> listener);
  RequestId SubmitSequence(SequenceRequest request, std::shared_ptr<SequenceListener> listener);
  void Cancel(RequestId id);
  void Run() override;

  const EngineOptions& options() const { return options_; }

 private:
  template <typename Request>
  RequestId Enter(std::unique_ptr<Request> request, RequestLine<Request>& line);

  bool TowerPending() const { return tower_ && !tower_->empty(); }
  template <typename Request>
  void LeaveCancelled(RequestLine<Request>& line);
  void LetPicturesIn();
  void LetSequencesIn();
  void RunStep();
  void FinishEnded();
  template <typename Request>
  void Finish(std::unique_ptr<Request> request);
  void Trace(const TraceEvent& event) const;

  const EngineParts parts_;
  const EngineOptions options_;

  std::atomic<RequestId> last_id_ = 0;

  std::mutex mutex_;
  std::condition_variable idle_;
  bool scheduled_ = false;  // a step is enqueued or running
  RequestLine<Picture> waiting_pictures_;
  RequestLine<Sequence> waiting_sequences_;
  std::unordered_map<RequestId, std::atomic<bool>*> cancel_flags_;  // of all requests that have not ended

  // Of the step.
  std::optional<TowerBatch> tower_;
  SequenceBatch sequences_;
  bool last_was_tower_ = false;
};

}  // namespace percept
