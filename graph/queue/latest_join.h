// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "graph/queue/join.h"

namespace percept::graph {

// Each packet of the first input makes a set, with the newest packet that has come on every other input by then. An
// error on another input goes out once, in the next set in place of that input's packet. Where all are needed, the
// first input waits for a first packet of every other one: until that one's bound has passed it, or for max_wait.
class LatestJoin : public Join {
 public:
  LatestJoin(const JoinSpec& spec, std::span<Edge* const> inputs, const Clock& clock)
      : inputs_(inputs), max_wait_(spec.max_wait), need_all_(spec.need_all), clock_(clock), others_(inputs.size()) {}

  Answer Next(InputSet& set, const OnPacket& on_packet) override;
  void TakeAhead(const OnPacket& on_packet) override { TakeOthers(on_packet); }
  // Head or bound of the first input.
  Time Bound() const override;
  std::optional<Duration> Deadline() const override { return deadline_; }

 private:
  struct Other {
    Packet newest;
    Packet error;  // the first one since the last set
  };

  void TakeOthers(const OnPacket& on_packet);
  // Some other input has brought nothing yet but still may, and the first has not waited for long enough.
  bool MustWait(const Edge::View& first);
  // False where an input is missing.
  bool AddOthers(InputSet& set);
  Answer EndWithErrors(InputSet& set);

  const std::span<Edge* const> inputs_;
  const std::optional<Duration> max_wait_;
  const bool need_all_;
  const Clock& clock_;
  std::vector<Other> others_;  // [inputs]; the first is not used
  std::optional<Duration> deadline_;
  Time last_time_ = Time::Min();  // of a set
};

}  // namespace percept::graph
