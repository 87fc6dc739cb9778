// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace percept::graph {

// Specialise for every type that travels in packets; a node outside the tree registers its own the same way:
//   template <> struct PayloadTraits<Image> {
//     static constexpr const char* kName = "Image";                    // the name ports and messages use
//     static size_t Bytes(const Image& image) { return ...; }          // itself and what it keeps alive
//   };
// A type that conditions look into has `static std::optional<FieldValue> Field(const T&, std::string_view name)` too:
// nothing for a name that it does not know.
// A type whose packets are of use only after those before them, back to one flagged Packet::kKey (coded video), says
// `static constexpr bool kInGroups = true;` too: edges then drop up to the next key packet.
template <class T>
struct PayloadTraits;

using FieldValue = std::variant<bool, double, std::string>;

struct PacketList;
struct Payload;
template <class T>
struct PayloadOf;

struct PayloadType {
  const char* name;
  bool is_list = false;  // of packets: a PacketList, whose name says what is in it
  std::optional<FieldValue> (*field)(const Payload& payload, std::string_view name) = nullptr;
  bool in_groups = false;
  // Names decide: the same type seen from two shared libraries has two addresses.
  bool operator==(const PayloadType& other) const { return this == &other || std::strcmp(name, other.name) == 0; }
};

template <class T>
constexpr bool IsInGroups() {
  if constexpr (requires { PayloadTraits<T>::kInGroups; }) return PayloadTraits<T>::kInGroups;
  return false;
}

template <class T>
std::optional<FieldValue> ReadField(const Payload& payload, std::string_view name) {
  if constexpr (requires(const T& value) { PayloadTraits<T>::Field(value, name); }) {
    return PayloadTraits<T>::Field(static_cast<const PayloadOf<T>&>(payload).value, name);
  }
  return std::nullopt;
}

template <class T>
inline constexpr PayloadType kPayloadType{PayloadTraits<T>::kName, std::is_same_v<T, PacketList>, &ReadField<T>,
                                          IsInGroups<T>()};

// What a payload may claim at most: sums of what packets take must not overflow.
inline constexpr size_t kMostPayloadBytes = size_t{1} << 50;

// What std::make_shared allocates beside the object: its counts and the table of its type.
inline constexpr size_t kSharedCountBytes = 2 * sizeof(void*);

// For PayloadTraits::Bytes: what a string keeps outside itself; nothing where it is short.
inline size_t HeapBytes(const std::string& text) {
  return text.capacity() > std::string().capacity() ? text.capacity() + 1 : 0;
}

// What a packet shares: the type, the size and, behind it in the same allocation, the value.
struct Payload {
  const PayloadType* type;
  size_t bytes;
};

template <class T>
struct PayloadOf : Payload {
  explicit PayloadOf(T v)
      : Payload{&kPayloadType<T>, std::min(PayloadTraits<T>::Bytes(v), kMostPayloadBytes)}, value(std::move(v)) {}
  const T value;
};

}  // namespace percept::graph
