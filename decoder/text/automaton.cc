// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/automaton.h"

#include <algorithm>

namespace percept {

Automaton::StateId Automaton::Add(const State& state) {
  states_.push_back(state);
  return static_cast<StateId>(states_.size() - 1);
}

Automaton::StateId Automaton::Bytes(const ByteSet& bytes, StateId next) { return Add({bytes, next, -1}); }

Automaton::StateId Automaton::Literal(std::string_view text, StateId next) {
  for (auto byte = text.rbegin(); byte != text.rend(); ++byte) {
    next = Bytes(ByteSet().set(static_cast<uint8_t>(*byte)), next);
  }
  return next;
}

Automaton::StateId Automaton::AnyOf(std::span<const StateId> starts) {
  StateId any = starts.back();
  for (size_t i = starts.size() - 1; i > 0; --i) any = Add({{}, starts[i - 1], any});
  return any;
}

std::vector<Automaton::StateId> Automaton::Step(std::span<const StateId> from, uint8_t byte) const {
  std::vector<StateId> reached;
  for (const StateId id : from) {
    const State& state = states_[static_cast<size_t>(id)];
    if (state.bytes[byte]) reached.push_back(state.next);
  }
  return Closure(std::move(reached));
}

std::vector<Automaton::StateId> Automaton::Closure(std::vector<StateId> open) const {
  std::vector<StateId> seen;
  std::vector<StateId> kept;
  while (!open.empty()) {
    const StateId id = open.back();
    open.pop_back();
    if (id < 0 || std::find(seen.begin(), seen.end(), id) != seen.end()) continue;
    seen.push_back(id);
    const State& state = states_[static_cast<size_t>(id)];
    if (id == kAccept || state.bytes.any()) {
      kept.push_back(id);
    } else {
      open.push_back(state.next);
      open.push_back(state.other);
    }
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

}  // namespace percept
