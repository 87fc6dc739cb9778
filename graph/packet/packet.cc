// SPDX-License-Identifier: Apache-2.0
#include "graph/packet/packet.h"

namespace percept::graph {
namespace {

void RequireOrdinary(Time timestamp) {
  if (timestamp.is_special()) throw std::logic_error("a packet cannot be at media time '" + timestamp.ToString() + "'");
}

const std::string& LabelOf(const ItemRef& item) {
  static const std::string no_label;
  return item ? item->label() : no_label;
}

}  // namespace

const char* ToString(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kBadInput:
      return "bad_input";
    case ErrorKind::kTransient:
      return "transient";
    case ErrorKind::kNode:
      return "node";
    case ErrorKind::kDevice:
      return "device";
  }
  return "unknown";
}

Packet::Packet(std::shared_ptr<const Payload> payload, Time timestamp, uint8_t flags)
    : payload_(std::move(payload)), timestamp_(timestamp), flags_(flags) {
  RequireOrdinary(timestamp);
}

Packet Packet::MakeError(ErrorPayload error, Time timestamp) {
  return Packet(std::make_shared<PayloadOf<ErrorPayload>>(std::move(error)), timestamp, kError);
}

const std::string& Packet::item_label() const { return LabelOf(origin_.item); }

Packet Packet::WithTimestamp(Time timestamp) && {
  RequireOrdinary(timestamp);
  timestamp_ = timestamp;
  return std::move(*this);
}

void Packet::ThrowWrongType(const char* wanted) const {
  throw PayloadError(std::string("a packet of type ") + (payload_ ? payload_->type->name : "none (it is empty)") +
                     " was read as " + wanted);
}

}  // namespace percept::graph
