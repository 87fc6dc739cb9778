// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/node/params.h"
#include "graph/node/value.h"
#include "graph/packet/time.h"
#include "nodes/payload/text.h"

namespace percept::nodes {

// What a source does next: waits, then what else the line says, in this order.
struct ScriptLine {
  std::optional<graph::Duration> wait;   // on the run clock
  std::optional<graph::Duration> epoch;  // a new one begins, here on the timeline or later
  std::optional<graph::Duration> bound;  // nothing earlier will come
  std::optional<std::string> transient;  // a fault that goes away, `times` times
  int64_t times = 1;                     // of `transient`
  std::optional<std::string> thrown;     // anything else that is thrown
  bool blocks = false;                   // sends nothing more, and does not end
  std::optional<graph::Duration> t;      // since the epoch began: of the packet or error
  std::optional<int64_t> ticks;          // the same, on a clock that may wrap
  std::optional<std::string> error;      // an item that cannot be used
  std::optional<Text> text;              // a packet
  graph::Duration duration{};            // of the packet
  std::string item;                      // its name
  std::optional<std::string> chunk;      // ends under this name
};

// Reads `items:`. Throws DefinitionError: an unknown key, a wrong type, a packet without a time, a line that says
// nothing.
std::vector<ScriptLine> ReadScript(const graph::Value& items);

// Lines made by rule: `count` packets, `interval` apart.
struct GeneratedScript {
  int64_t count = 0;
  graph::Duration interval{};
  std::optional<graph::Duration> wait;  // before each packet but the first
  std::string text;                     // followed by the packet's number
  int64_t claimed_bytes = 0;
  int64_t step_back_every = 0;  // each so many packets, one is `step_back` early; 0: never
  graph::Duration step_back{};
  int64_t chunk_every = 0;  // a chunk ends after so many packets; 0: never

  ScriptLine Line(int64_t idx) const;
};

}  // namespace percept::nodes
