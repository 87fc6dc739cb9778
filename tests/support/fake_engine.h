// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "graph/node/waker.h"

// Stands for an engine in graph tests: work is submitted with a Waker and done on a thread of its own, in order.
class FakeEngine {
 public:
  // One piece of work; `done` and `text` are for the node once the Waker was called.
  struct Work {
    std::mutex mutex;
    bool done = false;
    std::string text;

    bool IsDone() {
      std::lock_guard lock(mutex);
      return done;
    }
  };

  enum class Pace {
    kFree,       // as fast as the thread can
    kAtOnce,     // done, and the Waker called on another thread, before Submit returns
    kReleased,   // not before Release(), one piece of work a call
    kNever,      // holds work and Wakers until the engine is destroyed
    kDropped,    // lets go of the Waker without calling it or doing the work
    kForgotten,  // as kReleased, but then lets go of the Waker without calling it or doing the work
  };

  explicit FakeEngine(Pace pace) : pace_(pace), thread_([this] { Run(); }) {}
  ~FakeEngine() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  std::shared_ptr<Work> Submit(const std::string& text, percept::graph::Waker waker) {
    auto work = std::make_shared<Work>();
    work->text = text;
    if (pace_ == Pace::kDropped) return work;
    std::unique_lock lock(mutex_);
    queue_.emplace_back(work, std::move(waker));
    ++num_submitted_;
    changed_.notify_all();
    if (pace_ == Pace::kAtOnce) changed_.wait(lock, [this] { return num_done_ == num_submitted_; });
    return work;
  }

  void Release() {
    std::lock_guard lock(mutex_);
    ++num_released_;
    changed_.notify_all();
  }

  // Waits until so much was submitted in all.
  void AwaitSubmitted(size_t num) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return num_submitted_ >= num; });
  }

 private:
  bool MayWork() const {
    if (queue_.empty() || pace_ == Pace::kNever) return false;
    const bool waits = pace_ == Pace::kReleased || pace_ == Pace::kForgotten;
    return !waits || num_released_ > num_done_;
  }

  void Run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return stopping_ || MayWork(); });
      if (stopping_) return;
      auto [work, waker] = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      if (pace_ != Pace::kForgotten) {
        {
          std::lock_guard work_lock(work->mutex);
          work->done = true;
        }
        waker.Wake();
      }
      waker = {};
      lock.lock();
      ++num_done_;
      changed_.notify_all();
    }
  }

  const Pace pace_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<std::shared_ptr<Work>, percept::graph::Waker>> queue_;
  size_t num_submitted_ = 0;
  size_t num_done_ = 0;
  size_t num_released_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};
