// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include "graph/node/waker.h"
#include "graph/packet/packet.h"

namespace percept::nodes {

enum class PushResult {
  kAccepted,
  kFull,    // as much waits as may; also before a graph uses the source
  kClosed,  // nothing will be taken any more: Close was called, or the graph has ended
};

// What an app.source node and the program's end of it share. Thread-safe.
class AppSourceQueue {
 public:
  struct Entry {
    graph::Packet packet;
    std::string item;
    bool cancelled = false;
  };
  enum class Next { kEntry, kNothing, kEnded };

  AppSourceQueue(std::string name, const graph::PayloadType& type, std::function<void()> on_room)
      : name_(std::move(name)), type_(type), on_room_(std::move(on_room)) {}

  const std::string& name() const { return name_; }
  const graph::PayloadType& type() const { return type_; }

  // The program's side. `make` is called where its packet is accepted.
  template <class Make>
  PushResult Push(Make&& make, std::string item) {
    const std::lock_guard lock(mutex_);
    const PushResult result = Admit();
    if (result != PushResult::kAccepted) return result;
    if (item.empty()) item = name_ + "[" + std::to_string(num_accepted_) + "]";
    entries_.push_back({make(), std::move(item)});
    ++num_accepted_;
    WakeNode();
    return result;
  }
  void Close();
  // Nobody will call Push any more, nor wait for room.
  void Leave();
  bool Cancel(graph::Time time);
  int64_t num_dropped() const;

  // The node's side. Throws ArgumentError where another node has it.
  void Claim(size_t capacity);
  // kNothing: the node will be woken by `waker`.
  Next Take(Entry* entry, const std::function<graph::Waker()>& waker);
  // The packet at `time` went into the graph as `item`.
  void AddAtWork(graph::Time time, const graph::ItemRef& item);
  // Lets go of what waits; there will be no Take any more. What is at work can still be cancelled.
  void End();

 private:
  // All with the lock.
  PushResult Admit();
  void WakeNode();

  const std::string name_;
  const graph::PayloadType& type_;
  const std::function<void()> on_room_;

  mutable std::mutex mutex_;
  size_t capacity_ = 0;  // before Claim
  bool claimed_ = false;
  bool closed_ = false;   // by the program
  bool ended_ = false;    // by the graph
  bool refused_ = false;  // a push since there was room last
  int64_t num_accepted_ = 0;
  int64_t num_dropped_ = 0;
  std::deque<Entry> entries_;
  std::deque<std::pair<graph::Time, std::weak_ptr<const graph::Item>>> at_work_;
  graph::Waker waker_;  // while the node waits
};

// The program's end of an app.source node: what is pushed comes out of the node, in order. Every push is one item,
// under its own name in records and messages. Copies are the same source, and the last to go closes it; any thread.
template <class T>
class AppSource {
 public:
  // Where on_room is given: called once after a refused push, when another answer than kFull is to be had: the next one
  // would be accepted, or is refused for good (kClosed). On a worker, or in Close. Short; must not throw.
  explicit AppSource(std::string name, std::function<void()> on_room = {})
      : queue_(std::make_shared<AppSourceQueue>(std::move(name), graph::kPayloadType<T>, std::move(on_room))) {}

  // Never blocks, never waits for the graph; `payload` is moved from only where it is accepted. `time` is the place in
  // media time, counted from where the node's timeline begins (NodeContext::start_time: that of the run, unless the
  // node was added later), and rises from push to push: one that does not becomes an error at the far end. `item`: ""
  // is "NAME[number]". Throws std::logic_error where `time` is a special.
  PushResult Push(T&& payload, graph::Time time, std::string item = "") {
    if (time.is_special()) throw std::logic_error("AppSource::Push at the time '" + time.ToString() + "'");
    return queue_->Push([&] { return graph::Packet::Make<T>(std::move(payload), time); }, std::move(item));
  }
  // Nothing will be pushed any more: what waits goes out, then the node's output ends. A drain of the graph does the
  // same.
  void Close() { queue_->Close(); }
  // Cancels what was pushed at `time`: it becomes an error ("cancelled") at the far end, as soon as the node that has
  // it looks. False where nothing of that time waits or is at work.
  bool Cancel(graph::Time time) { return queue_->Cancel(time); }
  // How much was accepted, and still waited when the graph was cancelled or failed.
  int64_t num_dropped() const { return queue_->num_dropped(); }

  const std::shared_ptr<AppSourceQueue>& queue() const { return queue_; }

 private:
  std::shared_ptr<AppSourceQueue> queue_;
  // Of the copies alone, as the node has the queue too.
  std::shared_ptr<void> closing_{nullptr, [queue = queue_](void*) { queue->Leave(); }};
};

}  // namespace percept::nodes
