// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

namespace percept::graph {

// Specialise for every type that travels in packets; a node outside the tree registers its own the same way:
//   template <> struct PayloadTraits<Image> {
//     static constexpr const char* kName = "Image";                    // the name ports and messages use
//     static size_t Bytes(const Image& image) { return ...; }          // memory it keeps alive, for the edges' limits
//   };
template <class T>
struct PayloadTraits;

struct PayloadType {
  const char* name;
  // Names decide: the same type seen from two shared libraries has two addresses.
  bool operator==(const PayloadType& other) const { return this == &other || std::strcmp(name, other.name) == 0; }
};

template <class T>
inline constexpr PayloadType kPayloadType{PayloadTraits<T>::kName};

// What a packet shares: the type, the size and, behind it in the same allocation, the value.
struct Payload {
  const PayloadType* type;
  size_t bytes;
};

template <class T>
struct PayloadOf : Payload {
  explicit PayloadOf(T v) : Payload{&kPayloadType<T>, PayloadTraits<T>::Bytes(v)}, value(std::move(v)) {}
  const T value;
};

}  // namespace percept::graph
