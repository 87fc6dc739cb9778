// SPDX-License-Identifier: Apache-2.0
#include "graph/queue/window_join.h"

#include <algorithm>
#include <utility>

namespace percept::graph {
namespace {

int64_t FloorOfQuotient(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace

WindowJoin::WindowJoin(const JoinSpec& spec, std::span<Edge* const> inputs, const Clock& clock, StateAccount& account)
    : inputs_(inputs),
      duration_(spec.duration),
      hop_(spec.hop),
      max_wait_(spec.max_wait),
      need_all_(spec.need_all),
      clock_(clock),
      origin_(Time::Nanoseconds(0)) {
  for (size_t i = 0; i < inputs.size(); ++i) taken_.emplace_back(account);
}

Join::Answer WindowJoin::Next(InputSet& set, const OnPacket& on_packet) {
  while (true) {
    const Time bound = InputBound();  // before packets are taken: then nothing earlier is missing
    deadline_.reset();
    if (TakeFirst(set, on_packet)) return Answer::kSet;
    const Time earliest = Earliest();
    if (earliest == Time::Max() && cuts_.empty()) return bound == Time::Max() ? Answer::kEnded : Answer::kWait;
    if (earliest == Time::Max() && bound >= NextCut()) {
      StartAnew();
      continue;
    }
    if (earliest == Time::Max()) return WaitTaking(set, on_packet);
    const Window window = WindowAt(earliest);
    if (earliest < window.start) {
      if (PassOver(std::min(window.start, NextCut()), set)) return Answer::kSet;
      continue;
    }
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (Take(i, window.end, set, on_packet)) return Answer::kSet;
    }
    if (bound < std::min(window.end, NextCut()) && !HasWaited()) return WaitTaking(set, on_packet);
    if (Fill(window, bound, set)) return Answer::kSet;
  }
}

Join::Answer WindowJoin::WaitTaking(InputSet& set, const OnPacket& on_packet) {
  // What is beyond the window comes off the edges too, or it could hold up what the window waits for.
  for (size_t i = 0; inputs_.size() > 1 && i < inputs_.size(); ++i) {
    for (Edge::View view = inputs_[i]->Look(); view.head != Time::Unset(); view = inputs_[i]->Look()) {
      if (TakeOne(i, view.head_since, set, on_packet)) return Answer::kSet;
    }
  }
  return Answer::kWait;
}

bool WindowJoin::TakeFirst(InputSet& set, const OnPacket& on_packet) {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    while (taken_[i].kept.empty()) {
      const Edge::View view = inputs_[i]->Look();
      if (view.head == Time::Unset()) break;
      if (TakeOne(i, view.head_since, set, on_packet)) return true;
    }
  }
  return false;
}

bool WindowJoin::Take(size_t port_idx, Time end, InputSet& set, const OnPacket& on_packet) {
  while (true) {
    const Edge::View view = inputs_[port_idx]->Look();
    if (view.head == Time::Unset() || view.head >= std::min(end, NextCut())) return false;
    if (TakeOne(port_idx, view.head_since, set, on_packet)) return true;
  }
}

bool WindowJoin::TakeOne(size_t port_idx, Duration came, InputSet& set, const OnPacket& on_packet) {
  Input& input = taken_[port_idx];
  Packet packet;
  Edge::Level level;
  if (!inputs_[port_idx]->Pop(Time::Max(), packet, level)) return false;  // its edge has dropped it
  if (on_packet) on_packet(port_idx, packet, level);
  NoteEpoch(input, packet);
  if (IsTooLate(packet.timestamp())) return DropLate(port_idx, std::move(packet), set);
  input.covered = std::max(input.covered, packet.timestamp() + packet.duration());
  input.kept.Push(std::move(packet));
  input.came.push_back(came);
  return false;
}

void WindowJoin::NoteEpoch(Input& input, const Packet& packet) {
  const int64_t epoch = packet.origin().epoch;
  if (input.epoch == epoch) return;
  const bool is_first = !std::exchange(input.epoch, epoch).has_value();
  const auto cut = std::find_if(cuts_.begin(), cuts_.end(), [&](const Cut& each) { return each.epoch == epoch; });
  if (cut != cuts_.end()) {
    // The same epoch has begun on another input, a little later.
    cut->time = std::min(cut->time, packet.timestamp());
  } else if (std::find(epochs_.begin(), epochs_.end(), epoch) == epochs_.end()) {
    epochs_.push_back(epoch);
    if (!is_first) cuts_.push_back({epoch, packet.timestamp()});
  }
  std::sort(cuts_.begin(), cuts_.end(), [](const Cut& a, const Cut& b) { return a.time < b.time; });
}

void WindowJoin::StartAnew() {
  origin_ = NextCut();
  if (last_start_ != Time::Min()) origin_ = std::max(origin_, last_start_.Next());
  next_number_ = 0;
  cuts_.erase(cuts_.begin());
}

bool WindowJoin::IsTooLate(Time time) const {
  return next_number_ && time < StartOf(*next_number_) && time < NextCut();
}

bool WindowJoin::DropLate(size_t port_idx, Packet packet, InputSet& set) {
  if (packet.is_error()) {
    SetAlone(port_idx, std::move(packet), set);
    return true;
  }
  const bool was_in_window = hop_ <= duration_ || packet.timestamp() < StartOf(*next_number_ - 1) + duration_;
  inputs_[port_idx]->Drop(packet, was_in_window ? DropReason::kLate : DropReason::kOutside);
  return false;
}

void WindowJoin::SetAlone(size_t port_idx, Packet packet, InputSet& set) const {
  set.Begin(std::max(packet.timestamp(), last_start_));
  set.Add(port_idx, std::move(packet));
}

WindowJoin::Window WindowJoin::WindowAt(Time time) const {
  const Duration since_first_end = time - origin_ - duration_;
  int64_t number = FloorOfQuotient(since_first_end.nanoseconds(), hop_.nanoseconds()) + 1;
  if (next_number_) {
    number = std::max(number, *next_number_);
  } else if (time >= origin_) {
    number = std::max<int64_t>(number, 0);  // none begins before the first time
  }
  const Time start = StartOf(number);
  return {number, start, start + duration_};
}

Time WindowJoin::Earliest() const {
  Time earliest = Time::Max();
  for (const Input& input : taken_) {
    if (!input.kept.empty()) earliest = std::min(earliest, input.kept.front().timestamp());
  }
  return earliest < NextCut() ? earliest : Time::Max();
}

Time WindowJoin::InputBound() const {
  Time bound = Time::Max();
  for (const Edge* input : inputs_) bound = std::min(bound, input->Look().bound);
  return bound;
}

Packet WindowJoin::PopFront(Input& input) {
  input.came.pop_front();
  return input.kept.Pop();
}

bool WindowJoin::PassOver(Time time, InputSet& set) {
  for (size_t port_idx = 0; port_idx < taken_.size(); ++port_idx) {
    Input& input = taken_[port_idx];
    while (!input.kept.empty() && input.kept.front().timestamp() < time) {
      Packet packet = PopFront(input);
      if (packet.is_error()) {
        SetAlone(port_idx, std::move(packet), set);
        return true;
      }
      inputs_[port_idx]->Drop(packet, DropReason::kOutside);
    }
  }
  return false;
}

bool WindowJoin::HasWaited() {
  if (!max_wait_) return false;
  for (const Input& input : taken_) {
    if (input.came.empty()) continue;
    const Duration due = input.came.front() + *max_wait_;
    deadline_ = std::min(deadline_.value_or(due), due);
  }
  return deadline_ <= clock_.Now();
}

bool WindowJoin::Fill(const Window& window, Time bound, InputSet& set) {
  set.Begin(window.start, duration_, IsPartial(window, bound));
  const Time end = std::min(window.end, NextCut());
  bool is_complete = true;
  for (size_t port_idx = 0; port_idx < taken_.size(); ++port_idx) {
    bool found = false;
    for (const Packet& packet : taken_[port_idx].kept) {
      if (packet.timestamp() < window.start || packet.timestamp() >= end) continue;
      set.Add(port_idx, Packet(packet));
      found = true;
    }
    is_complete = is_complete && found;
  }
  last_start_ = window.start;
  next_number_ = window.number + 1;
  const Time forgotten = std::min(end, StartOf(*next_number_));
  for (Input& input : taken_) {
    while (!input.kept.empty() && input.kept.front().timestamp() < forgotten) PopFront(input);
  }
  if (is_complete || !need_all_ || set.FirstError()) return true;
  ++num_unmatched_;
  set.Clear();
  return false;
}

bool WindowJoin::IsPartial(const Window& window, Time bound) const {
  if (bound != Time::Max()) return std::min(bound, NextCut()) < window.end;
  Time covered = Time::Min();
  for (size_t i = 0; i < inputs_.size(); ++i) {
    covered = std::max({covered, taken_[i].covered, inputs_[i]->BoundBeforeEnd()});
  }
  return std::min(covered, NextCut()) < window.end;
}

Time WindowJoin::Bound() const {
  Time time = std::min(Earliest(), NextCut());
  for (const Edge* input : inputs_) {
    const Edge::View view = input->Look();
    time = std::min(time, view.head == Time::Unset() ? view.bound : view.head);
  }
  return time.is_special() ? time : std::min(time, WindowAt(time).start);
}

}  // namespace percept::graph
