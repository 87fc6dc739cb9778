// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <stdexcept>

#include "graph/node/contract.h"
#include "graph/packet/packet.h"

namespace percept::graph {

// A node keeps more than its contract allows. Says what it keeps and the bound.
class StateError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What a node keeps between sets beside pending work, its joins' packets included, against the bound of its contract.
// Used on the thread of the node's calls.
class StateAccount {
 public:
  // Members of `bound` that are zero limit nothing; where all are, nothing may be kept.
  explicit StateAccount(const StateBound& bound) : bound_(bound) {}

  // One item more, of so many bytes; `span`: media time from the oldest to the newest that is kept with it. Throws
  // StateError and adds nothing.
  void Add(size_t bytes, Duration span = {});
  void Remove(size_t bytes);

  int64_t items() const { return items_; }
  int64_t bytes() const { return bytes_; }
  int64_t peak_items() const { return peak_items_; }
  int64_t peak_bytes() const { return peak_bytes_; }

 private:
  const StateBound bound_;
  int64_t items_ = 0;
  int64_t bytes_ = 0;
  int64_t peak_items_ = 0;
  int64_t peak_bytes_ = 0;
};

// Packets that a node or a join keeps: first in, first out, in an account. They hold no credits.
class KeptPackets {
 public:
  explicit KeptPackets(StateAccount& account) : account_(account) {}
  ~KeptPackets() { Clear(); }
  KeptPackets(const KeptPackets&) = delete;
  KeptPackets& operator=(const KeptPackets&) = delete;

  // In the order of time. Throws StateError.
  void Push(Packet packet);
  Packet Pop();
  void Clear();

  bool empty() const { return packets_.empty(); }
  size_t size() const { return packets_.size(); }
  const Packet& front() const { return packets_.front(); }
  const Packet& back() const { return packets_.back(); }
  auto begin() const { return packets_.begin(); }
  auto end() const { return packets_.end(); }

 private:
  StateAccount& account_;
  std::deque<Packet> packets_;
};

}  // namespace percept::graph
