// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace percept {

// One step of an engine. The engine owns it and keeps it alive until every Run() it asked for has returned.
class StepTask {
 public:
  virtual ~StepTask() = default;
  virtual void Run() = 0;
};

// Where an engine's steps run. An engine has at most one task enqueued or running at a time.
class StepExecutor {
 public:
  virtual ~StepExecutor() = default;

  // Calls task.Run() once, soon, on a worker, never inside this call. Called from any thread, also from inside Run().
  // Neither throws nor allocates: the engine enqueues itself again after each step.
  virtual void Enqueue(StepTask& task) = 0;
};

}  // namespace percept
