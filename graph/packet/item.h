// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "graph/packet/payload.h"

namespace percept::graph {

// Gives out and takes back a source's credits. Called from any thread.
class CreditReturn {
 public:
  virtual ~CreditReturn() = default;
  // Over the limit where need be.
  virtual void TakeCredit() = 0;
  virtual void ReturnCredit() = 0;
};

// One unit of a source's work (a picture, a frame, a line): its name for messages and records, and its credit. The
// credit is held by every packet of the item that lies on an edge or in a running Process and by every Pending; when
// the last of them lets go, it returns to the source, and the next to hold the item takes one again. Copies of a packet
// that a node or a join keeps hold no credit.
class Item {
 public:
  Item(std::string label, uint64_t id, std::shared_ptr<CreditReturn> source)
      : label_(std::move(label)),
        id_(id),
        bytes_(sizeof(Item) + kSharedCountBytes + HeapBytes(label_)),
        source_(std::move(source)) {}
  Item(const Item&) = delete;
  Item& operator=(const Item&) = delete;

  const std::string& label() const { return label_; }
  uint64_t id() const { return id_; }
  // Itself, as it is shared, and its label.
  size_t bytes() const { return bytes_; }

  void Acquire() const {
    if (holders_.fetch_add(1, std::memory_order_relaxed) == 0 && source_) source_->TakeCredit();
  }
  void Release() const {
    if (holders_.fetch_sub(1, std::memory_order_acq_rel) == 1 && source_) source_->ReturnCredit();
  }
  // True the first time: an item is counted as failed once, however many errors it meets.
  bool MarkFailed() const { return !failed_.exchange(true, std::memory_order_relaxed); }
  // Asks for the item to be given up: a node that looks makes it an error ("cancelled") instead of working on it.
  void Cancel() const { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  const std::string label_;
  const uint64_t id_;
  const size_t bytes_;
  const std::shared_ptr<CreditReturn> source_;
  mutable std::atomic<int64_t> holders_{0};
  mutable std::atomic<bool> failed_{false};
  mutable std::atomic<bool> cancelled_{false};
};

using ItemRef = std::shared_ptr<const Item>;

}  // namespace percept::graph
