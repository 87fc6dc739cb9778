// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "graph/queue/join.h"

namespace percept::graph {

// The default input rule. A node with one input gets each packet as it comes. With several, the packets of the earliest
// time t on any of them, once the bound of every input has passed t, or one of them has waited for max_wait. A set that
// lacks an input is not given out but counted, unless it holds an error or the join takes any. Without max_wait: same
// packets in, same sets out, whatever the threads did.
class SettledJoin : public Join {
 public:
  SettledJoin(const JoinSpec& spec, std::span<Edge* const> inputs, const Clock& clock)
      : inputs_(inputs), max_wait_(spec.max_wait), need_all_(spec.need_all), clock_(clock) {}

  Answer Next(InputSet& set, const OnPacket& on_packet) override;
  // The earliest head or bound of the inputs, and after a set that did not wait longer just past it.
  Time Bound() const override;
  std::optional<Duration> Deadline() const override { return deadline_; }
  void SetInputs(std::span<Edge* const> inputs) override { inputs_ = inputs; }

 private:
  Answer NextOfOne(InputSet& set, const OnPacket& on_packet);
  // The time of the next set, Unset where it has to wait or there is none.
  Time NextTime(bool& ended);
  // Packets of times that are over. True when one of them is an error: it makes a set of its own.
  bool TakeLate(InputSet& set, const OnPacket& on_packet);
  bool TakeAll(Time time, InputSet& set, const OnPacket& on_packet);

  std::span<Edge* const> inputs_;
  const std::optional<Duration> max_wait_;
  const bool need_all_;
  const Clock& clock_;
  std::optional<Duration> deadline_;
  Time given_up_ = Time::Min();  // what comes up to this time is late
};

}  // namespace percept::graph
