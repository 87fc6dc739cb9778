// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"

namespace percept {

// What this machine can do at most, to judge kernels by: measured on the workers of the arena that the caller runs in.

// Reads memory that no cache holds, as fast as the widest loads there are go.
class MemoryReading {
 public:
  // Throws std::bad_alloc.
  explicit MemoryReading(int64_t size_bytes = int64_t{2} << 30);  // a multiple of 1 MiB

  int64_t size_bytes() const { return static_cast<int64_t>(buffer_.size_bytes()); }
  // Reads all of it once. False where the sum of what was read is wrong.
  bool ReadOnce() const;

 private:
  Buffer buffer_;
};

// Products without memory: operands and sums stay in registers.
struct ProductLoop {
  std::string_view name;     // of the instructions: "AMX int8", "VNNI int8", "AVX-512 f32", "AVX2 f32"
  double ops_per_round = 0;  // of one thread; a product with its addition counts two
  void (*run)(int64_t rounds) = nullptr;
};

// The fastest 8-bit products that `isa` has (f32 where it has none); nothing to run on a portable one.
ProductLoop FastestProducts(Isa isa);

}  // namespace percept
