// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "graph/node/clock.h"
#include "graph/node/input_set.h"
#include "graph/node/state_account.h"
#include "graph/queue/edge.h"
#include "graph/queue/join_spec.h"

namespace percept::graph {

// Takes packets off a node's inputs and makes them into sets, in the order of time. Used by one thread at a time.
class Join {
 public:
  enum class Answer { kSet, kWait, kEnded };
  // Called for every packet that is taken off an input, with the level of its edge after it. May be empty.
  using OnPacket = std::function<void(size_t port_idx, const Packet& packet, Edge::Level level)>;

  virtual ~Join() = default;

  // Fills the empty `set`. The credits of its packets are the caller's, unless their edges release credits. Throws
  // StateError.
  virtual Answer Next(InputSet& set, const OnPacket& on_packet) = 0;
  // While its node has no room for what a set would make: takes what it can without one, so that it holds up nobody.
  virtual void TakeAhead(const OnPacket&) {}
  // Nothing earlier than this will be in a set.
  virtual Time Bound() const = 0;
  // After kWait: when, on the clock, to ask again although no input has changed.
  virtual std::optional<Duration> Deadline() const { return std::nullopt; }
  // Joins of nodes whose inputs change while they run: these from now on. Between two sets.
  virtual void SetInputs(std::span<Edge* const> inputs);
  // Sets that lacked an input and were not given out.
  uint64_t num_unmatched() const { return num_unmatched_; }

 protected:
  // Takes the first packet of an input into `set`; false where there is none, or only one later than `latest`.
  static bool Take(Edge& input, size_t port_idx, Time latest, InputSet& set, const OnPacket& on_packet) {
    Edge::Level level;
    std::vector<Packet>& packets = set.PacketsOf(port_idx);
    if (!input.Pop(latest, packets, level)) return false;
    set.CountIn(packets.back());
    if (on_packet) on_packet(port_idx, packets.back(), level);
    return true;
  }
  // Empties a set that is not given out.
  static void LetGo(InputSet& set, std::span<Edge* const> inputs) {
    if (!inputs.front()->limits().releases_credits) set.ReleaseCredits();
    set.Clear();
  }

  uint64_t num_unmatched_ = 0;
};

// All arguments outlive the join. With max_wait, the inputs stamp arrivals by the same clock. Windows keep their
// packets in `account`; the others keep at most two packets an input.
std::unique_ptr<Join> MakeJoin(const JoinSpec& spec, std::span<Edge* const> inputs, const Clock& clock,
                               StateAccount& account);

}  // namespace percept::graph
