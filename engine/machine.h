// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "engine/engine.h"
#include "engine/medium.h"
#include "engine/request_line.h"
#include "engine/sequence.h"
#include "engine/sequence_batch.h"
#include "engine/tower_batch.h"

namespace percept {

// What an Engine does. Requests wait in lines under the lock; what is at work belongs to the step alone. A step
// takes requests out that are cancelled or late, lets waiting ones in, runs one layer of a tower or one decoder step,
// makes the terminal calls of what ended, and enqueues the next step if anything is left.
class Engine::Machine final : public StepTask {
 public:
  Machine(const EngineParts& parts, const EngineOptions& options);
  ~Machine() override;

  RequestId SubmitPicture(ImagePatches picture, std::shared_ptr<MediumListener> listener, const Urgency& urgency);
  RequestId SubmitSound(std::vector<float> samples, std::shared_ptr<MediumListener> listener, const Urgency& urgency);
  RequestId SubmitSequence(SequenceRequest request, std::shared_ptr<SequenceListener> listener);
  void Cancel(RequestId id);
  void Run() override;
  EngineCounts counts() const;

  const EngineOptions& options() const { return options_; }

 private:
  template <typename Request>
  RequestId Enter(std::unique_ptr<Request> request, RequestLine<Request>& line);

  // The media of one kind.
  struct Tower {
    bool pending() const { return batch != nullptr && !batch->empty(); }

    RequestLine<Medium> waiting;
    std::unique_ptr<TowerBatch> batch;  // of the step; null where the checkpoint takes none
  };

  template <typename Request, typename Batch>
  void MoveIn(RequestLine<Request>& line, Batch& batch, Urgency::Clock::time_point now);
  template <typename Request>
  void Leave(RequestLine<Request>& line, Urgency::Clock::time_point now);
  template <typename Request, typename Batch>
  void LetIn(RequestLine<Request>& line, Batch& batch);
  Tower* NextTower();
  void RunStep();
  void FinishEnded();
  template <typename Request>
  void Finish(std::unique_ptr<Request> request);
  void Trace(const TraceEvent& event) const;

  const EngineParts parts_;
  const EngineOptions options_;

  std::atomic<RequestId> last_id_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  bool scheduled_ = false;  // a step is enqueued or running
  Tower pictures_;
  Tower sounds_;
  RequestLine<Sequence> waiting_sequences_;
  std::unordered_map<RequestId, std::atomic<bool>*> cancel_flags_;  // of all requests that have not ended

  EngineCounts counts_;

  // Of the step.
  SequenceBatch sequences_;
  bool last_was_tower_ = false;
  Tower* last_tower_ = nullptr;  // that had a step
};

}  // namespace percept
