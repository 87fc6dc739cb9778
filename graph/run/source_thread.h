// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "graph/node/node.h"
#include "graph/run/gated_context.h"

namespace percept::graph {

class RunState;

// How a call of a node came back.
struct CallOutcome {
  graph::Process answer = graph::Process::kNeedInput;
  std::exception_ptr cause;  // null where it answered
};

// The thread of a source that may wait in its Process; it starts with the first call. Used by one node runner.
class SourceThread {
 public:
  // The thread is at work for `run`. `on_return` is called on it after every call of the node, unless it was abandoned.
  SourceThread(const RunState& run, NodeContext& context, std::function<void()> on_return);
  // Stopped, abandoned, or never called.
  ~SourceThread() = default;

  // Calls `node` on the thread; no call may be under way. The thread keeps `keep`, what the call needs, until it ends.
  // Throws std::runtime_error, and nothing is called, where the thread cannot be made.
  void Call(std::shared_ptr<Node> node, std::shared_ptr<void> keep);
  // A call was made whose outcome has not been taken.
  bool busy() const { return busy_; }
  // Nothing while the call is under way.
  std::optional<CallOutcome> TakeOutcome();
  // Leaves the thread to the call that it waits in: its NodeContext leads nowhere from now on, and on_return is not
  // called. False where the call has come back meanwhile.
  bool Abandon();
  // Ends the thread; no call may be under way.
  void Stop();

 private:
  void Work();

  const RunState& run_;
  std::mutex mutex_;
  GatedContext context_;
  const std::function<void()> on_return_;
  std::thread thread_;
  bool busy_ = false;  // the runner's
  std::condition_variable changed_;
  std::shared_ptr<Node> node_;  // to be called
  std::optional<CallOutcome> outcome_;
  bool stopping_ = false;
};

}  // namespace percept::graph
