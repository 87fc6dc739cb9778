// SPDX-License-Identifier: Apache-2.0
#include "graph/queue/nearest_join.h"

#include <algorithm>
#include <utility>

namespace percept::graph {
namespace {

// Not as a Duration: two ordinary times may be farther apart than one holds.
uint64_t Distance(Time a, Time b) {
  const auto [low, high] = std::minmax(a, b);
  return static_cast<uint64_t>(high.nanoseconds()) - static_cast<uint64_t>(low.nanoseconds());
}

}  // namespace

NearestJoin::NearestJoin(const JoinSpec& spec, std::span<Edge* const> inputs, const Clock& clock)
    : inputs_(inputs),
      tolerance_(spec.tolerance),
      max_wait_(spec.max_wait),
      need_all_(spec.need_all),
      clock_(clock),
      sides_(inputs.size()) {}

Join::Answer NearestJoin::Next(InputSet& set, const OnPacket& on_packet) {
  while (true) {
    deadline_.reset();
    const Edge::View view = inputs_[0]->Look();
    const Time time = view.head == Time::Unset() ? view.bound : view.head;
    for (size_t i = 1; i < inputs_.size(); ++i) {
      if (Advance(i, time, set, on_packet)) return Answer::kSet;
    }
    if (!view.ended() && (view.head == Time::Unset() || MustWait(view))) return Answer::kWait;
    if (GiveUnusedError(time, set)) return Answer::kSet;
    if (view.ended()) return Answer::kEnded;
    if (!Take(*inputs_[0], 0, view.head, set, on_packet)) continue;  // its edge has dropped it
    last_time_ = view.head;
    const bool is_complete = AddNearest(view.head, set);
    if (is_complete || !need_all_ || set.FirstError()) return Answer::kSet;
    ++num_unmatched_;
    LetGo(set, inputs_);
  }
}

bool NearestJoin::Advance(size_t i, Time time, InputSet& set, const OnPacket& on_packet) {
  Side& side = sides_[i];
  while (true) {
    if (side.after.packet.empty()) {
      Edge::Level level;
      if (!inputs_[i]->Pop(Time::Max(), side.after.packet, level)) return false;
      if (on_packet) on_packet(i, side.after.packet, level);
    }
    if (side.after.packet.timestamp() > time) return false;
    if (Replace(side, i, std::exchange(side.after, {}), set)) return true;
  }
}

bool NearestJoin::Replace(Side& side, size_t i, Candidate next, InputSet& set) {
  // The first of one time stays, but an error goes before it.
  const bool is_same_time = !side.before.packet.empty() && side.before.packet.timestamp() == next.packet.timestamp();
  if (is_same_time && (side.before.packet.is_error() || !next.packet.is_error())) return false;
  const Candidate passed = std::exchange(side.before, std::move(next));
  if (!passed.is_unused_error()) return false;
  GiveAlone(i, passed.packet, set);
  return true;
}

void NearestJoin::GiveAlone(size_t i, const Packet& error, InputSet& set) const {
  set.Begin(std::max(error.timestamp(), last_time_));
  set.Add(i, Packet(error));
}

bool NearestJoin::GiveUnusedError(Time time, InputSet& set) {
  for (size_t i = 1; i < inputs_.size(); ++i) {
    Candidate& before = sides_[i].before;
    if (!before.is_unused_error() || (time != Time::Max() && Nearest(sides_[i], time) == &before)) continue;
    before.was_used = true;
    GiveAlone(i, before.packet, set);
    return true;
  }
  return false;
}

bool NearestJoin::IsDecided(size_t i, Time time) const {
  const Side& side = sides_[i];
  if (!side.after.packet.empty()) return true;
  if (!side.before.packet.empty() && side.before.packet.timestamp() == time) return true;
  const Edge::View view = inputs_[i]->Look();
  if (view.head != Time::Unset()) return false;  // has just come: there is another look
  if (view.bound == Time::Max()) return true;
  return view.bound > time && Distance(view.bound, time) > static_cast<uint64_t>(tolerance_.nanoseconds());
}

bool NearestJoin::MustWait(const Edge::View& view) {
  bool is_decided = true;
  for (size_t i = 1; i < inputs_.size(); ++i) is_decided = is_decided && IsDecided(i, view.head);
  if (is_decided) return false;
  if (!max_wait_) return true;
  deadline_ = view.head_since + *max_wait_;
  return clock_.Now() < *deadline_;
}

NearestJoin::Candidate* NearestJoin::Nearest(Side& side, Time time) const {
  Candidate* nearest = nullptr;
  uint64_t least = static_cast<uint64_t>(tolerance_.nanoseconds());
  for (Candidate* candidate : {&side.after, &side.before}) {
    if (candidate->packet.empty()) continue;
    const uint64_t distance = Distance(candidate->packet.timestamp(), time);
    if (distance > least) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest;
}

bool NearestJoin::AddNearest(Time time, InputSet& set) {
  bool is_complete = true;
  for (size_t i = 1; i < inputs_.size(); ++i) {
    Candidate* nearest = Nearest(sides_[i], time);
    is_complete = is_complete && nearest != nullptr;
    if (!nearest) continue;
    nearest->was_used = true;
    set.Add(i, Packet(nearest->packet));
  }
  return is_complete;
}

Time NearestJoin::Bound() const {
  const Edge::View view = inputs_[0]->Look();
  Time bound = view.head == Time::Unset() ? view.bound : view.head;
  if (bound == Time::Max()) return bound;
  // Errors of the others may make sets before it.
  for (size_t i = 1; i < inputs_.size(); ++i) {
    const Side& side = sides_[i];
    const Edge::View other = inputs_[i]->Look();
    bound = std::min(bound, other.head == Time::Unset() ? other.bound : other.head);
    if (side.after.is_unused_error()) bound = std::min(bound, side.after.packet.timestamp());
    if (side.before.is_unused_error()) bound = std::min(bound, side.before.packet.timestamp());
  }
  return bound;
}

}  // namespace percept::graph
