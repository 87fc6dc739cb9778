// SPDX-License-Identifier: Apache-2.0
#include "graph/queue/edge.h"

#include <algorithm>
#include <utility>

namespace percept::graph {
namespace {

void Release(const Packet& packet) {
  if (packet.origin().item) packet.origin().item->Release();
}

}  // namespace

Edge::Edge(std::string name, const EdgeLimits& limits, EdgeUser& producer, EdgeUser& consumer)
    : name_(std::move(name)), limits_(limits), producer_(producer), consumer_(consumer) {}

void Edge::ForceFull(int64_t times) {
  forced_full_rooms_ = times;
  forced_full_pushes_ = limits_.policy == DropPolicy::kFail ? 0 : times;
}

bool Edge::IsFartherApart(const Packet& from, const Packet& to) const {
  // On the bare numbers: the span of two ordinary times may be more than a Duration holds.
  return static_cast<uint64_t>(to.timestamp().nanoseconds()) - static_cast<uint64_t>(from.timestamp().nanoseconds()) >
         static_cast<uint64_t>(limits_.time.nanoseconds());
}

bool Edge::LookForRoom() {
  {
    const Lock lock(mutex_);
    if (forced_full_rooms_ == 0) {
      has_room_ = HasRoomForNext();
      producer_waits_ = !has_room_;
      return has_room_;
    }
    --forced_full_rooms_;
  }
  producer_.OnEdgeChanged();
  return false;
}

bool Edge::Push(Packet& packet, Time bound, Level& level) {
  has_room_ = false;
  const ItemRef to_release = limits_.releases_credits ? packet.origin().item : nullptr;
  const Duration now = arrival_clock_ ? arrival_clock_->Now() : Duration();
  Outcome outcome;
  {
    const Lock lock(mutex_);
    outcome = Take(packet, now);
    if (outcome == Outcome::kTaken || outcome == Outcome::kDropped) bound_ = std::max(bound_, bound);
    has_room_ = outcome == Outcome::kTaken && forced_full_rooms_ == 0 && HasRoomForNext();
    level = {packets_.size(), bytes_};
  }
  if (outcome != Outcome::kTaken || !dropped_by_push_.empty()) {
    if (!FinishPush(outcome, packet)) return false;
    if (outcome == Outcome::kClosed) return true;
  }
  if (to_release) to_release->Release();
  consumer_.OnEdgeChanged();
  return true;
}

bool Edge::FinishPush(Outcome outcome, Packet& packet) {
  if (!dropped_by_push_.empty()) LetGo(dropped_by_push_);
  switch (outcome) {
    case Outcome::kFull:
      return false;
    case Outcome::kForcedFull:
      producer_.OnEdgeChanged();
      return false;
    case Outcome::kOverrun:
      Release(packet);
      throw EdgeFullError("edge " + name_ + " is full (" + Describe() + ") and its policy is to fail");
    case Outcome::kClosed:
      producer_.OnUnread(packet);
      consumer_.OnTooLate(packet);
      Release(packet);
      packet = Packet();
      return true;
    case Outcome::kTaken:
    case Outcome::kDropped:
      return true;
  }
  return true;
}

Edge::Outcome Edge::TakeByPolicy(Packet& packet) {
  if (closed_) return Outcome::kClosed;
  if (forced_full_pushes_ > 0) {
    --forced_full_pushes_;
    return Outcome::kForcedFull;
  }
  DropReason reason{};
  const Outcome outcome = MakeRoom(packet, reason);
  if (outcome == Outcome::kFull) producer_waits_ = true;
  if (outcome == Outcome::kDropped) {
    CountDrop(reason);
    dropped_by_push_.emplace_back(std::move(packet), reason);
    return outcome;
  }
  return outcome;
}

bool Edge::IsUseless(const Packet& packet) const {
  return group_is_broken_ && !packet.is_error() && !packet.has(Packet::kKey);
}

Edge::Outcome Edge::MakeRoom(const Packet& packet, DropReason& reason) {
  const auto drop_new = [&](DropReason why) {
    reason = why;
    return Outcome::kDropped;
  };
  if (limits_.policy == DropPolicy::kLatest) DropSuperseded(packet);
  while (!IsUseless(packet) && IsFullFor(packet)) {
    size_t i = 0;
    switch (limits_.policy) {
      case DropPolicy::kBlock:
        return Outcome::kFull;
      case DropPolicy::kFail:
        return Outcome::kOverrun;
      case DropPolicy::kDropNewest:
        if (!packet.is_error()) {
          group_is_broken_ = packet.type().in_groups;
          return drop_new(DropReason::kFullNewest);
        }
        i = FindNewestDroppable();
        break;
      case DropPolicy::kDropOldest:
      case DropPolicy::kLatest:
        i = FindDroppable(0);
        break;
    }
    if (i == packets_.size()) return Outcome::kFull;
    const bool is_newest = limits_.policy == DropPolicy::kDropNewest;
    DropAt(i, is_newest ? DropReason::kFullNewest : DropReason::kFullOldest, dropped_by_push_);
  }
  return IsUseless(packet) ? drop_new(DropReason::kGroup) : Outcome::kTaken;
}

void Edge::DropSuperseded(const Packet& newest) {
  // Of packets in groups the newest group counts: the newest packet alone would be of no use.
  if (newest.is_error() || (newest.type().in_groups && !newest.has(Packet::kKey))) return;
  for (size_t i = FindDroppable(0); i < packets_.size(); i = FindDroppable(i)) {
    TakeOut(i, DropReason::kLatest, dropped_by_push_);
  }
}

size_t Edge::FindDroppable(size_t i) const {
  while (i < packets_.size() && packets_[i].is_error()) ++i;
  return i;
}

size_t Edge::FindNewestDroppable() const {
  for (size_t i = packets_.size(); i > 0; --i) {
    if (!packets_[i - 1].is_error()) return i - 1;
  }
  return packets_.size();
}

void Edge::DropAt(size_t i, DropReason reason, Dropped& dropped) {
  const bool in_groups = packets_[i].type().in_groups;
  TakeOut(i, reason, dropped);
  if (!in_groups) return;
  for (i = FindDroppable(i); i < packets_.size(); i = FindDroppable(i)) {
    if (packets_[i].has(Packet::kKey)) return;
    TakeOut(i, DropReason::kGroup, dropped);
  }
  group_is_broken_ = true;
}

void Edge::TakeOut(size_t i, DropReason reason, Dropped& dropped) {
  bytes_ -= packets_[i].bytes();
  dropped.emplace_back(packets_.Take(i), reason);
  CountDrop(reason);
}

void Edge::LetGo(Dropped& dropped) {
  for (const auto& [packet, reason] : dropped) {
    producer_.OnDrop(*this, packet, reason);
    if (!limits_.releases_credits) Release(packet);
  }
  dropped.clear();
}

bool Edge::DropOldest(DropReason reason) {
  Dropped dropped;
  bool tell_producer = false;
  {
    const Lock lock(mutex_);
    const size_t i = FindDroppable(0);
    if (i == packets_.size()) return false;
    DropAt(i, reason, dropped);
    tell_producer = std::exchange(producer_waits_, false);
  }
  LetGo(dropped);
  if (tell_producer) producer_.OnEdgeChanged();
  return true;
}

void Edge::RaiseBound(Time bound) {
  {
    const Lock lock(mutex_);
    if (bound <= bound_ || closed_) return;
    if (bound == Time::Max()) bound_before_end_ = bound_;
    bound_ = bound;
  }
  consumer_.OnEdgeChanged();
}

Edge::View Edge::Look() const {
  const Lock lock(mutex_);
  if (packets_.empty()) return {Time::Unset(), bound_};
  return {packets_.front().timestamp(), bound_, packets_.front_came()};
}

Time Edge::BoundBeforeEnd() const {
  const Lock lock(mutex_);
  return bound_before_end_;
}

template <class TakeFront>
bool Edge::PopWith(Time latest, Level& level, const TakeFront& take_front) {
  bool tell_producer = false;
  {
    const Lock lock(mutex_);
    if (packets_.empty()) return false;
    Packet& front = packets_.front();
    if (front.timestamp() > latest) return false;
    bytes_ -= front.bytes();
    take_front(std::move(front));
    packets_.DropFront();
    level = {packets_.size(), bytes_};
    tell_producer = std::exchange(producer_waits_, false);
  }
  if (tell_producer) producer_.OnEdgeChanged();
  return true;
}

bool Edge::Pop(Time latest, Packet& packet, Level& level) {
  return PopWith(latest, level, [&packet](Packet&& front) { packet = std::move(front); });
}

bool Edge::Pop(Time latest, std::vector<Packet>& packets, Level& level) {
  return PopWith(latest, level, [&packets](Packet&& front) { packets.push_back(std::move(front)); });
}

void Edge::Drop(const Packet& packet, DropReason reason) {
  {
    const Lock lock(mutex_);
    CountDrop(reason);
  }
  consumer_.OnDrop(*this, packet, reason);
  if (!limits_.releases_credits) Release(packet);
}

void Edge::Close(const std::function<void(const Packet&)>& on_packet) {
  PacketRing dropped;
  bool tell_producer = false, was_closed = false;
  {
    const Lock lock(mutex_);
    was_closed = std::exchange(closed_, true);
    std::swap(dropped, packets_);
    bytes_ = 0;
    tell_producer = std::exchange(producer_waits_, false);
  }
  // Outside the lock: a credit that returns calls the source.
  while (!dropped.empty()) {
    const Packet packet = dropped.Pop();
    if (on_packet) on_packet(packet);
    if (!limits_.releases_credits) Release(packet);
  }
  if (tell_producer) producer_.OnEdgeChanged();
  if (!was_closed) producer_.OnReaderClosed();
}

bool Edge::is_closed() const {
  const Lock lock(mutex_);
  return closed_;
}

Edge::Counts Edge::counts() const {
  const Lock lock(mutex_);
  return counts_;
}

std::string Edge::Describe() const {
  const Lock lock(mutex_);
  return std::to_string(packets_.size()) + " of " + std::to_string(limits_.packets) + " packets, " +
         std::to_string(bytes_) + " of " + std::to_string(limits_.bytes) + " bytes, bound " + bound_.ToString();
}

}  // namespace percept::graph
