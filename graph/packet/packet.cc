// SPDX-License-Identifier: Apache-2.0
#include "graph/packet/packet.h"

namespace percept::graph {
namespace {

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

Packet Packet::MakeError(ErrorPayload error, Time timestamp) {
  return Packet(std::make_shared<PayloadOf<ErrorPayload>>(std::move(error)), timestamp, kError);
}

const std::string& Packet::item_label() const { return LabelOf(origin_.item); }

std::optional<FieldValue> Packet::Field(std::string_view name) const {
  return payload_ && payload_->type->field ? payload_->type->field(*payload_, name) : std::nullopt;
}

void Packet::ThrowSpecialTime(Time timestamp) {
  throw std::logic_error("a packet cannot be at media time '" + timestamp.ToString() + "'");
}

void Packet::ThrowWrongType(const char* wanted) const {
  throw PayloadError(std::string("a packet of type ") + (payload_ ? payload_->type->name : "none (it is empty)") +
                     " was read as " + wanted);
}

}  // namespace percept::graph
