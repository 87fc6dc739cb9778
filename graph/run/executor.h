// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

namespace percept::graph {

// A piece of work that belongs to whoever enqueues it: embedding it (or deriving from it) costs no allocation per run.
class Task {
 public:
  virtual ~Task() = default;
  // On a worker. Short: it never waits for other tasks. May enqueue tasks, itself too.
  virtual void Run() noexcept = 0;

  // Lower runs first among tasks that are ready at once; equal ones in the order they came.
  int priority = 0;
};

// Where tasks of graphs and engines run. All functions from any thread.
class Executor {
 public:
  virtual ~Executor() = default;
  // Runs `task` once, soon, never on the caller's stack. From a task of this executor: perhaps not before that one has
  // ended. The task must not be waiting to run already, and must live until it has run.
  virtual void Enqueue(Task& task) = 0;
  virtual int num_workers() const = 0;
};

struct ExecutorOptions {
  int num_workers = 0;                 // 0: as many as this process may use (affinity, cgroup)
  std::function<void()> worker_entry;  // called on every worker before its first task; may be empty
};

// Processors that this process may use: affinity and cgroup quota, at least 1.
int NumUsableProcessors();

}  // namespace percept::graph
