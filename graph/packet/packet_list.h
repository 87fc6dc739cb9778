// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "graph/packet/packet.h"

namespace percept::graph {

// Several packets of one type in one: a window, a batch. A port that carries lists of T has the type "T[]".
struct PacketList {
  std::vector<Packet> packets;  // in the order they came; neither empty ones nor errors
  bool partial = false;         // cut short: by the end of the stream, a new epoch, or a wait that was over
};

template <>
struct PayloadTraits<PacketList> {
  static constexpr const char* kName = "list";
  static size_t Bytes(const PacketList& list) {
    size_t bytes = sizeof(list);
    for (const Packet& packet : list.packets) bytes += packet.bytes();
    return bytes;
  }
  static std::optional<FieldValue> Field(const PacketList& list, std::string_view name) {
    return name == "partial" ? std::optional<FieldValue>(list.partial) : std::nullopt;
  }
};

// A packet of the type "T[]", T being the type of the first packet. Throws std::logic_error: no packets, an empty one
// or an error among them, packets of different types.
Packet MakeList(PacketList list, Time timestamp);

}  // namespace percept::graph
