// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "graph/queue/join.h"

namespace percept::graph {

// All packets of [k * hop, k * hop + duration) make one set, at the window's start, once the bound of every input has
// reached its end, or its first packet has waited for max_wait. k counts from the run's time 0; a new epoch on any
// input cuts the windows that are open at the epoch's first packet, which are given out as partial, and counts from
// there. So does the end of all inputs with a window that reaches beyond it. Empty windows make no set. Packets come
// off the edges at once (where there is but one input, those beyond the next window stay there); those between windows
// that are farther apart than they are long, and those of a window that did not wait for them, are dropped, but an
// error among them makes a set of its own.
class WindowJoin : public Join {
 public:
  WindowJoin(const JoinSpec& spec, std::span<Edge* const> inputs, const Clock& clock, StateAccount& account);

  Answer Next(InputSet& set, const OnPacket& on_packet) override;
  // The start of the earliest window that still can be given out.
  Time Bound() const override;
  std::optional<Duration> Deadline() const override { return deadline_; }

 private:
  struct Input {
    explicit Input(StateAccount& account) : kept(account) {}
    KeptPackets kept;
    std::deque<Duration> came;     // [kept] on the clock
    std::optional<int64_t> epoch;  // of the last packet
    Time covered = Time::Min();    // media time that its packets reach to
  };
  // A new epoch that no window has been cut at yet.
  struct Cut {
    int64_t epoch;
    Time time;
  };
  struct Window {
    int64_t number;
    Time start;
    Time end;
  };

  // These take packets off the edges. True when one was an error that came too late: it is in `set`.
  bool TakeFirst(InputSet& set, const OnPacket& on_packet);  // of inputs of which nothing is kept
  bool Take(size_t port_idx, Time end, InputSet& set, const OnPacket& on_packet);
  bool TakeOne(size_t port_idx, Duration came, InputSet& set, const OnPacket& on_packet);
  Answer WaitTaking(InputSet& set, const OnPacket& on_packet);
  bool IsTooLate(Time time) const;
  bool DropLate(size_t port_idx, Packet packet, InputSet& set);
  void NoteEpoch(Input& input, const Packet& packet);
  void StartAnew();
  // The first window not yet given out that holds `time` or comes after it.
  Window WindowAt(Time time) const;
  Time StartOf(int64_t number) const { return origin_ + Duration::Nanoseconds(number * hop_.nanoseconds()); }
  // The earliest packet that is kept and before the next cut; Max where there is none.
  Time Earliest() const;
  Time NextCut() const { return cuts_.empty() ? Time::Max() : cuts_.front().time; }
  Time InputBound() const;
  // Lets go of what lies before `time`, in no window. True when an error among it is in `set`.
  bool PassOver(Time time, InputSet& set);
  bool HasWaited();
  // True when the set is to be given out.
  bool Fill(const Window& window, Time bound, InputSet& set);
  bool IsPartial(const Window& window, Time bound) const;
  void SetAlone(size_t port_idx, Packet packet, InputSet& set) const;
  static Packet PopFront(Input& input);

  const std::span<Edge* const> inputs_;
  const Duration duration_;
  const Duration hop_;
  const std::optional<Duration> max_wait_;
  const bool need_all_;
  const Clock& clock_;
  std::deque<Input> taken_;             // [inputs]
  std::vector<int64_t> epochs_;         // all that have been seen
  std::vector<Cut> cuts_;               // by time
  Time origin_;                         // where windows are counted from
  std::optional<int64_t> next_number_;  // of the first window that was not given out; nothing: all
  Time last_start_ = Time::Min();       // of the last window that was
  std::optional<Duration> deadline_;
};

}  // namespace percept::graph
