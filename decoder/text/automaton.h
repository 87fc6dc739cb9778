// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace percept {

using ByteSet = std::bitset<256>;

// A nondeterministic finite automaton over bytes, built from its end: each function makes states that read something
// and go on to `next`, and returns the first of them. Const once built: any number of threads may share one.
class Automaton {
 public:
  using StateId = int32_t;
  // Where nothing is left to read.
  static constexpr StateId kAccept = 0;

  Automaton() : states_(1) {}

  StateId Bytes(const ByteSet& bytes, StateId next);
  StateId Literal(std::string_view text, StateId next);
  // One of the states: whatever each of them reads. Not empty.
  StateId AnyOf(std::span<const StateId> starts);
  // Any number of times what `body` makes; it is called with the state to come back to.
  template <typename Body>
  StateId Repeat(Body body, StateId next) {
    const StateId loop = Add({});
    const StateId first = body(loop);
    states_[static_cast<size_t>(loop)].next = first;
    states_[static_cast<size_t>(loop)].other = next;
    return loop;
  }

  void set_start(StateId start) { start_ = start; }
  size_t size() const { return states_.size(); }

  // Sets of states are sorted and hold none but those that read a byte, and kAccept.
  std::vector<StateId> Start() const { return Closure({start_}); }
  std::vector<StateId> Step(std::span<const StateId> from, uint8_t byte) const;

 private:
  struct State {
    ByteSet bytes;  // none: goes on to `next` and `other` without reading
    StateId next = -1;
    StateId other = -1;
  };
  StateId Add(const State& state);
  std::vector<StateId> Closure(std::vector<StateId> open) const;

  std::vector<State> states_;
  StateId start_ = kAccept;
};

}  // namespace percept
