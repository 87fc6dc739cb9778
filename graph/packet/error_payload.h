// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "graph/packet/payload.h"

namespace percept::graph {

// The classes of run-time error; a wrong pipeline file is refused before anything runs and never becomes a packet.
enum class ErrorKind { kBadInput, kTransient, kNode, kDevice };

// "bad_input", "transient", "node", "device": the words of records and reports.
const char* ToString(ErrorKind kind);

// What an error packet carries: the first cause, whatever nodes it passed since.
struct ErrorPayload {
  ErrorKind kind = ErrorKind::kBadInput;
  std::string item;    // name of the item, as the source gave it
  std::string reason;  // one sentence
  std::string node;    // path of the node that found it
};

template <>
struct PayloadTraits<ErrorPayload> {
  static constexpr const char* kName = "Error";
  static size_t Bytes(const ErrorPayload& e) {
    return sizeof(e) + HeapBytes(e.item) + HeapBytes(e.reason) + HeapBytes(e.node);
  }
};

}  // namespace percept::graph
