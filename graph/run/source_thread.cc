// SPDX-License-Identifier: Apache-2.0
#include "graph/run/source_thread.h"

#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "graph/run/run_state.h"

namespace percept::graph {

SourceThread::SourceThread(const RunState& run, NodeContext& context, std::function<void()> on_return)
    : run_(run), context_(context, mutex_), on_return_(std::move(on_return)) {}

void SourceThread::Call(std::shared_ptr<Node> node, std::shared_ptr<void> keep) {
  try {
    // An abandoned thread is perhaps the last to hold what this object is part of.
    if (!thread_.joinable()) thread_ = std::thread([this, keep = std::move(keep)] { Work(); });
  } catch (const std::system_error& error) {
    throw std::runtime_error(std::string("its thread cannot be made: ") + error.what());
  }
  busy_ = true;
  {
    const std::lock_guard lock(mutex_);
    node_ = std::move(node);
  }
  changed_.notify_one();
}

void SourceThread::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || node_; });
    if (stopping_) return;
    std::shared_ptr<Node> node = std::move(node_);
    lock.unlock();
    CallOutcome outcome;
    try {
      const RunState::AtWork at_work(run_);
      outcome.answer = node->Process(context_);
    } catch (...) {
      outcome.cause = std::current_exception();
    }
    lock.lock();
    const bool is_abandoned = context_.closed();
    if (!is_abandoned) outcome_ = std::move(outcome);
    lock.unlock();
    node.reset();  // of an abandoned node the last
    if (is_abandoned) return;
    on_return_();
    lock.lock();
  }
}

std::optional<CallOutcome> SourceThread::TakeOutcome() {
  const std::lock_guard lock(mutex_);
  if (outcome_) busy_ = false;
  return std::exchange(outcome_, std::nullopt);
}

bool SourceThread::Abandon() {
  const std::lock_guard lock(mutex_);
  if (outcome_) return false;
  context_.Close();
  thread_.detach();
  busy_ = false;
  return true;
}

void SourceThread::Stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

}  // namespace percept::graph
