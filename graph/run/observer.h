// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "graph/packet/time.h"

namespace percept::graph {

enum class TraceKind { kRunBegin, kRunEnd, kSent, kReceived, kDropped };

// One thing that happened. Names are valid during the call only.
struct TraceEvent {
  TraceKind kind;
  std::string_view node;
  std::string_view port;    // kSent: output port, kReceived: input port
  Time media_time;          // of the set or packet; Unset where there is none
  uint64_t trace_id = 0;    // of the packet
  size_t edge_packets = 0;  // kSent, kReceived: level of the edge after it
  size_t edge_bytes = 0;
  std::string_view edge = {};    // kSent, kReceived, kDropped: its name
  std::string_view reason = {};  // kDropped
  bool is_error = false;         // kReceived: an error packet
};

// Sees a graph run. Called on worker threads, by several nodes at once, and inside the path of every packet: be short.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void OnEvent(const TraceEvent& event) = 0;
};

}  // namespace percept::graph
