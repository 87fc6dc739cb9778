// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "graph/node/waker.h"
#include "graph/packet/packet.h"

namespace percept::nodes {

enum class PopResult {
  kPacket,
  kTimeout,  // nothing came in time
  kEnded,    // nothing will come any more
};

// What an app.sink node and the program's end of it share. Thread-safe.
class AppSinkQueue {
 public:
  AppSinkQueue(std::string name, const graph::PayloadType& type, std::function<void(graph::Packet)> on_packet)
      : name_(std::move(name)), type_(type), on_packet_(std::move(on_packet)) {}

  const std::string& name() const { return name_; }
  const graph::PayloadType& type() const { return type_; }

  // The program's side.
  PopResult Pop(graph::Packet* packet, std::chrono::nanoseconds timeout);

  // Nobody will call Pop any more: what comes is let go of.
  void Leave();

  // The node's side. Throws ArgumentError where another node has it.
  void Claim(size_t capacity);
  // False where the queue is full: the node will be woken by `waker`.
  bool Deliver(const graph::Packet& packet, const std::function<graph::Waker()>& waker);
  void End();

 private:
  const std::string name_;
  const graph::PayloadType& type_;
  const std::function<void(graph::Packet)> on_packet_;

  std::mutex mutex_;
  std::condition_variable changed_;
  size_t capacity_ = 0;
  bool claimed_ = false;
  bool ended_ = false;
  bool is_left_ = false;
  std::deque<graph::Packet> packets_;
  graph::Waker waker_;  // while the node waits for room
};

// What came out of a graph: a value, or the error that stands for it.
template <class T>
class Arrival {
 public:
  Arrival() = default;
  explicit Arrival(graph::Packet packet) : packet_(std::move(packet)) {}

  bool is_error() const { return packet_.is_error(); }
  // Throws graph::PayloadError where it is an error. Lives as long as any copy of this.
  const T& value() const { return packet_.Get<T>(); }
  // Throws graph::PayloadError where it is none.
  const graph::ErrorPayload& error() const { return packet_.Get<graph::ErrorPayload>(); }
  graph::Time time() const { return packet_.timestamp(); }
  // The item's name, as its source gave it.
  const std::string& item() const { return packet_.item_label(); }
  const graph::Packet& packet() const { return packet_; }

 private:
  graph::Packet packet_;
};

// The program's end of an app.sink node, in one of two ways: a function that is called for every packet, or Pop. Copies
// are the same sink; any thread.
template <class T>
class AppSink {
 public:
  // For Pop, until the last copy is gone: what comes later is let go of. At most as many packets wait as the node's
  // `packets` says; then the graph waits for Pop, so do not wait for the graph on the only thread that pops.
  explicit AppSink(std::string name)
      : queue_(std::make_shared<AppSinkQueue>(std::move(name), graph::kPayloadType<T>, nullptr)),
        leaving_(nullptr, [queue = queue_](void*) { queue->Leave(); }) {}
  // Calls `on_arrival` on a worker, one call at a time and in order: it must not block. What it throws stops the graph.
  AppSink(std::string name, std::function<void(Arrival<T>)> on_arrival)
      : queue_(std::make_shared<AppSinkQueue>(std::move(name), graph::kPayloadType<T>,
                                              [on_arrival = std::move(on_arrival)](graph::Packet packet) {
                                                on_arrival(Arrival<T>(std::move(packet)));
                                              })) {}

  // The next packet, waiting up to `timeout` for it, with nanoseconds::max() as long as it takes. What came before the
  // graph's end, or its cancel, can be had after it. kEnded too where the graph was never started and is gone.
  PopResult Pop(Arrival<T>* arrival, std::chrono::nanoseconds timeout) {
    graph::Packet packet;
    const PopResult result = queue_->Pop(&packet, timeout);
    if (result == PopResult::kPacket) *arrival = Arrival<T>(std::move(packet));
    return result;
  }

  const std::shared_ptr<AppSinkQueue>& queue() const { return queue_; }

 private:
  std::shared_ptr<AppSinkQueue> queue_;
  std::shared_ptr<void> leaving_;  // of the copies alone, as the node has the queue too; for Pop
};

}  // namespace percept::nodes
