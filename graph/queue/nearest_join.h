// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "graph/queue/join.h"

namespace percept::graph {

// Each packet of the first input makes a set at its time t, with that packet of every other input that is nearest to t,
// at most `tolerance` away, the earlier one of two. It waits until every other input has a packet at t or later, or can
// bring none within the tolerance any more, or for max_wait. Packets of the others may serve several sets; an error
// among them that serves none makes a set of its own.
class NearestJoin : public Join {
 public:
  NearestJoin(const JoinSpec& spec, std::span<Edge* const> inputs, const Clock& clock);

  Answer Next(InputSet& set, const OnPacket& on_packet) override;
  Time Bound() const override;
  std::optional<Duration> Deadline() const override { return deadline_; }

 private:
  struct Candidate {
    Packet packet;  // empty where there is none
    bool was_used = false;
    bool is_unused_error() const { return !packet.empty() && packet.is_error() && !was_used; }
  };
  // Another input, around the time of the first.
  struct Side {
    Candidate before;  // the last one up to it
    Candidate after;   // the first one later, where it has come
  };

  // Takes what input `i` has up to `time`, and one packet more. True when an error was passed over: it is in `set`.
  bool Advance(size_t i, Time time, InputSet& set, const OnPacket& on_packet);
  bool Replace(Side& side, size_t i, Candidate next, InputSet& set);
  // An error that serves neither the set at `time` nor, being earlier, any after it.
  bool GiveUnusedError(Time time, InputSet& set);
  void GiveAlone(size_t i, const Packet& error, InputSet& set) const;
  // Nothing that comes can be nearer to `time` than what is there.
  bool IsDecided(size_t i, Time time) const;
  // nullptr where none is near enough.
  Candidate* Nearest(Side& side, Time time) const;
  bool AddNearest(Time time, InputSet& set);
  bool MustWait(const Edge::View& view);

  const std::span<Edge* const> inputs_;
  const Duration tolerance_;
  const std::optional<Duration> max_wait_;
  const bool need_all_;
  const Clock& clock_;
  std::vector<Side> sides_;  // [inputs]; the first is not used
  std::optional<Duration> deadline_;
  Time last_time_ = Time::Min();  // of a set
};

}  // namespace percept::graph
