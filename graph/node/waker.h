// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

namespace percept::graph {

// The node's side of a Waker. Called under the lock of the Waker's state: none of the calls may block.
class WakeTarget {
 public:
  virtual ~WakeTarget() = default;
  // Call the node.
  virtual void OnWake() = 0;
  // Look whether the node can go on.
  virtual void OnChange() = 0;
  // One more Waker of this node exists.
  virtual void OnHolderAdded() = 0;
  // So many fewer exist; `call` the node, as they were the last.
  virtual void OnHoldersGone(int64_t num_gone, bool call) = 0;
};

class WakeState;

// Whoever will have something for a node later (the engine, a device thread) holds its Waker and calls it. Copyable,
// safe from any thread, and safe after the graph is gone (it then does nothing). Calls coalesce: many wakes before the
// node runs give one run; a wake during Process gives one more run after it, so none is lost. The graph counts the
// Wakers that exist: while one does, a graph with nothing to do waits; so let go of it when there is nothing more to
// say. Dropping the last one wakes the node once.
class Waker {
 public:
  Waker() = default;
  explicit Waker(std::shared_ptr<WakeState> state);
  Waker(const Waker& other);
  Waker(Waker&& other) noexcept = default;
  Waker& operator=(Waker other) noexcept;
  ~Waker();

  void Wake() const;
  explicit operator bool() const { return state_ != nullptr; }

 private:
  std::shared_ptr<WakeState> state_;
};

}  // namespace percept::graph
