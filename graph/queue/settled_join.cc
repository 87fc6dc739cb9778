// SPDX-License-Identifier: Apache-2.0
#include "graph/queue/settled_join.h"

#include <algorithm>
#include <utility>

namespace percept::graph {

SettledJoin::Answer SettledJoin::Next(InputSet& set, const OnPacket& on_packet) {
  if (inputs_.size() == 1) return NextOfOne(set, on_packet);
  while (true) {
    bool ended = true;
    const Time time = SettledTime(ended);
    if (time == Time::Unset()) return ended ? Answer::kEnded : Answer::kWait;
    bool is_complete = true;
    for (size_t port_idx = 0; port_idx < inputs_.size(); ++port_idx) {
      Packet packet;
      Edge::Level level;
      bool found = false;
      while (inputs_[port_idx]->Pop(time, packet, level)) {
        on_packet(port_idx, packet, level);
        set.Add(port_idx, std::move(packet));
        found = true;
      }
      is_complete = is_complete && found;
    }
    if (is_complete || set.FirstError()) return Answer::kSet;
    ++num_unmatched_;
    set.ReleaseCredits();
    set.Clear();
  }
}

SettledJoin::Answer SettledJoin::NextOfOne(InputSet& set, const OnPacket& on_packet) {
  Packet packet;
  Edge::Level level;
  if (inputs_[0]->Pop(Time::Max(), packet, level)) {
    on_packet(0, packet, level);
    set.Add(0, std::move(packet));
    return Answer::kSet;
  }
  return inputs_[0]->Look().ended() ? Answer::kEnded : Answer::kWait;
}

Time SettledJoin::SettledTime(bool& ended) const {
  Time earliest = Time::Max();
  Time bound = Time::Max();
  for (const Edge* input : inputs_) {
    const Edge::View view = input->Look();
    ended = ended && view.ended();
    if (view.head != Time::Unset()) earliest = std::min(earliest, view.head);
    bound = std::min(bound, view.bound);
  }
  return earliest < bound ? earliest : Time::Unset();
}

Time SettledJoin::Bound() const {
  Time bound = Time::Max();
  for (const Edge* input : inputs_) {
    const Edge::View view = input->Look();
    bound = std::min(bound, view.head == Time::Unset() ? view.bound : view.head);
  }
  return bound;
}

}  // namespace percept::graph
