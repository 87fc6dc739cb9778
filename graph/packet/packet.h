// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "graph/packet/error_payload.h"
#include "graph/packet/item.h"
#include "graph/packet/payload.h"
#include "graph/packet/time.h"

namespace percept::graph {

// Asking a packet for a payload that it does not hold.
class PayloadError : public std::logic_error {
  using std::logic_error::logic_error;
};

using WallTime = std::chrono::system_clock::time_point;

// Where a packet came from: handed on from the packets of a set to what a node sends for it.
struct Origin {
  ItemRef item;                          // null before a source has named one
  int64_t epoch = 0;                     // a new value tells nodes with state to reset; orders nothing
  uint64_t trace_id = 0;                 // one per item
  std::optional<WallTime> capture_time;  // live sources only
};

// An immutable shared payload with its place in media time. Copies are cheap and share the payload; an empty packet
// (default constructed) stands for "none". The With... functions change a temporary in place:
//   Packet::Make<Image>(std::move(image), t).WithDuration(d)
class Packet {
 public:
  enum Flag : uint8_t { kGap = 1, kDiscontinuity = 2, kError = 4, kKey = 8 };

  Packet() = default;

  // One allocation: value and count together. Throws std::logic_error where `timestamp` is a special.
  template <class T>
  static Packet Make(T value, Time timestamp) {
    static_assert(!kPayloadType<T>.is_list, "MakeList gives a list its type");
    return Packet(std::make_shared<PayloadOf<T>>(std::move(value)), timestamp, uint8_t{0});
  }
  static Packet MakeError(ErrorPayload error, Time timestamp);
  // Of a payload made elsewhere (MakeList).
  static Packet MakeOf(std::shared_ptr<const Payload> payload, Time timestamp) {
    return Packet(std::move(payload), timestamp, uint8_t{0});
  }

  bool empty() const { return payload_ == nullptr; }
  const PayloadType& type() const { return *payload_->type; }
  template <class T>
  bool Is() const {
    if (!payload_) return false;
    // A list of whatever: its type has the name of what is in it.
    return kPayloadType<T>.is_list ? payload_->type->is_list : *payload_->type == kPayloadType<T>;
  }
  // Throws PayloadError naming both types.
  template <class T>
  const T& Get() const {
    if (!Is<T>()) ThrowWrongType(kPayloadType<T>.name);
    return static_cast<const PayloadOf<T>&>(*payload_).value;
  }
  // A named value of the payload, nothing where it has none of that name.
  std::optional<FieldValue> Field(std::string_view name) const;
  // What it takes on an edge or in a node's state, the one measure of every bound in bytes: what the payload says, the
  // item with its label, and OverheadBytes. What packets share is counted with each of them.
  size_t bytes() const {
    if (!payload_) return 0;
    return payload_->bytes + OverheadBytes() + (origin_.item ? origin_.item->bytes() : 0);
  }
  // Beside payload and item: the packet in its place on an edge, and what is allocated with its payload.
  static constexpr size_t OverheadBytes() {
    return sizeof(Packet) + sizeof(Duration) + sizeof(Payload) + kSharedCountBytes;
  }

  Time timestamp() const { return timestamp_; }
  Duration duration() const { return duration_; }
  uint64_t sequence() const { return sequence_; }
  const Origin& origin() const { return origin_; }
  // The item's name, "" where no source named one.
  const std::string& item_label() const;
  bool has(Flag flag) const { return (flags_ & flag) != 0; }
  bool is_error() const { return has(kError); }

  Packet WithTimestamp(Time timestamp) && {
    RequireOrdinary(timestamp);
    timestamp_ = timestamp;
    return std::move(*this);
  }
  Packet WithDuration(Duration duration) && {
    duration_ = duration;
    return std::move(*this);
  }
  Packet WithFlag(Flag flag) && {
    flags_ |= flag;
    return std::move(*this);
  }
  Packet WithFlags(uint8_t flags) && {
    flags_ |= flags;
    return std::move(*this);
  }
  Packet WithOrigin(Origin origin) && {
    origin_ = std::move(origin);
    return std::move(*this);
  }

  // For the graph, in place. Sequence: position on the output port.
  void SetSequence(uint64_t sequence) { sequence_ = sequence; }
  // Takes over `origin`, and `epoch` for its own where one is given; what a source said of the packet itself (epoch,
  // capture time) goes before.
  void TakeOver(const Origin& origin) { TakeOver(origin, origin.epoch); }
  void TakeOver(const Origin& origin, int64_t epoch) {
    origin_.item = origin.item;
    origin_.trace_id = origin.trace_id;
    if (origin_.epoch == 0) origin_.epoch = epoch;
    if (!origin_.capture_time) origin_.capture_time = origin.capture_time;
  }

 private:
  Packet(std::shared_ptr<const Payload> payload, Time timestamp, uint8_t flags)
      : payload_(std::move(payload)), timestamp_(timestamp), flags_(flags) {
    RequireOrdinary(timestamp);
  }
  static void RequireOrdinary(Time timestamp) {
    if (timestamp.is_special()) ThrowSpecialTime(timestamp);
  }
  [[noreturn]] static void ThrowSpecialTime(Time timestamp);
  [[noreturn]] void ThrowWrongType(const char* wanted) const;

  std::shared_ptr<const Payload> payload_;
  Time timestamp_;
  Duration duration_;
  uint64_t sequence_ = 0;
  Origin origin_;
  uint8_t flags_ = 0;
};

}  // namespace percept::graph
