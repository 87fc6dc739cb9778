// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/packet/time.h"

namespace percept::graph {

// How the packets of several inputs become sets.
enum class JoinKind {
  kSettled,  // those of one time, once nothing earlier and nothing more of that time can come
  kLatest,   // each packet of the first input, with the newest that has come on every other
  kWindow,   // all of a span of media time
  kNearest,  // each packet of the first input, with that of every other input that is nearest to it in time
};

// "settled", "latest", "window", "nearest": the words of pipeline files.
const char* ToString(JoinKind kind);
// Nothing for any other word.
std::optional<JoinKind> ParseJoinKind(std::string_view word);
std::vector<std::string> JoinKindWords();

struct JoinSpec {
  JoinKind kind = JoinKind::kSettled;
  Duration duration{};   // kWindow: of a window; more than zero
  Duration hop{};        // kWindow: from the start of one window to the start of the next; more than zero
  Duration tolerance{};  // kNearest: farther away is no match
  // How long, on the run clock, the first packet of a set waits for the others; without it, for ever.
  std::optional<Duration> max_wait;
  // A set that lacks an input is not given to the node but counted as unmatched; otherwise it is given as it is.
  bool need_all = true;

  // The join keeps packets beyond the set that the node is at: edges into it release credits.
  bool collects(size_t num_inputs) const { return num_inputs > 1 || kind == JoinKind::kWindow; }
};

}  // namespace percept::graph
