// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/node/node.h"
#include "graph/node/value.h"
#include "graph/packet/packet.h"

namespace percept::graph {

// A packet without a field that a condition looks at: most likely all of its type lack it.
class MissingFieldError : public BadInputError {
  using BadInputError::BadInputError;
};

// What `when:` of a gate, filter or switch says about a packet:
//   { field: person, is: true }                 is, is_not, below, at_most, above, at_least, contains
//   { field: scene, changed: true }             another value than the packet before had; never at the first one
//   { all: [ ... ] }, { any: [ ... ] }, { not: { ... } }
//   { field: speed, above: 3, for: 2s }         has held for so long in media time; with any of the above
// Fields are the payload's (PayloadTraits::Field; of a list: partial) and, of every packet, timestamp_s, duration_s,
// epoch and is_error. Keeps what `changed` and `for` need: used by one node, packet by packet in the order of time.
class Condition {
 public:
  // Throws DefinitionError: another form, an unknown key (nearest valid ones), a value that cannot be compared so.
  static Condition Parse(const Value& value);

  // Throws MissingFieldError, or BadInputError: the packet has a field that is not compared with such a value.
  bool Holds(const Packet& packet, Time time);
  // Forgets the packets before: a new epoch.
  void Reset();

  // What it keeps, for Node::SaveState; RestoreState takes it off the front of `state`. Throws std::invalid_argument:
  // no such text.
  std::string SaveState() const;
  void RestoreState(std::string_view& state);

 private:
  enum class Kind { kField, kAll, kAny, kNot };
  enum class Comparison { kIs, kIsNot, kBelow, kAtMost, kAbove, kAtLeast, kContains, kChanged };
  static const std::vector<std::pair<std::string, Comparison>>& Comparisons();

  void ParseField(const Value& value);
  // Whether a field that every packet has is of a kind that is compared so; of other fields only packets tell.
  bool FitsEveryPacket(bool compares_numbers) const;
  void ParseParts(const Value& value, Kind kind);
  bool HoldsNow(const Packet& packet, Time time);
  bool Compare(const Packet& packet);
  bool HasChanged(FieldValue value);
  [[noreturn]] void ThrowIncomparable(const Packet& packet, const FieldValue& value) const;

  Kind kind_ = Kind::kField;
  std::vector<Condition> parts_;  // kAll, kAny, kNot
  std::string field_;
  Comparison comparison_ = Comparison::kIs;
  std::string text_;              // compared with
  std::optional<double> number_;  // the same as a number, where it is one
  std::optional<Duration> for_;

  std::optional<FieldValue> last_;  // kChanged: of the packet before
  std::optional<Time> since_;       // for_: since when it has held
};

}  // namespace percept::graph
