// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "graph/run/thread_executor.h"
#if !defined(__SANITIZE_THREAD__)
#include "graph/run/tbb_executor.h"
#endif

// An executor to run a test on.
struct ExecutorCase {
  std::string name;
  std::function<std::unique_ptr<percept::graph::Executor>()> make;
};

// Names of tests hold no addresses.
inline void PrintTo(const ExecutorCase& executor, std::ostream* out) { *out << executor.name; }

template <class T>
ExecutorCase MakeExecutorCase(const std::string& kind, int num_workers) {
  return {kind + std::to_string(num_workers), [num_workers]() -> std::unique_ptr<percept::graph::Executor> {
            return std::make_unique<T>(percept::graph::ExecutorOptions{num_workers, {}});
          }};
}

// Both executors with one, two and more workers; under the thread sanitizer plain threads only, as libtbb is not
// instrumented.
inline std::vector<ExecutorCase> AllExecutors() {
  using namespace percept::graph;
  std::vector<ExecutorCase> cases = {MakeExecutorCase<ThreadExecutor>("Threads", 1),
                                     MakeExecutorCase<ThreadExecutor>("Threads", 2),
                                     MakeExecutorCase<ThreadExecutor>("Threads", 5)};
#if !defined(__SANITIZE_THREAD__)
  cases.push_back(MakeExecutorCase<TbbExecutor>("Tbb", 1));
  cases.push_back(MakeExecutorCase<TbbExecutor>("Tbb", 2));
  cases.push_back(MakeExecutorCase<TbbExecutor>("Tbb", 5));
#endif
  return cases;
}
