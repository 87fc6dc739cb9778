// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace percept {

// Instruction sets with kernels of their own, each a superset of the one before.
enum class Isa : uint8_t { kPortable, kAvx2, kAvx512, kAvx512Vnni, kAvx512Bf16, kAmxBf16 };
inline constexpr std::array<Isa, 6> kAllIsas = {Isa::kPortable,   Isa::kAvx2,       Isa::kAvx512,
                                                Isa::kAvx512Vnni, Isa::kAvx512Bf16, Isa::kAmxBf16};

std::string_view IsaName(Isa isa);    // "avx2"; the spelling of --max-isa
Isa ParseIsa(std::string_view name);  // throws ArgumentError with the valid names
Isa DetectIsa();                      // what this CPU and operating system offer

// How results may depend on the company a row is computed in (design: two modes).
enum class Mode : uint8_t {
  kFast,   // any kernel; bf16 products where they are native
  kExact,  // a row's bits depend on that row and the weights alone: f32 products, one order of summation for all row
           // counts
};

// Given to every op. Plain data: two contexts in one process work side by side.
struct KernelContext {
  Isa isa = Isa::kPortable;
  Mode mode = Mode::kFast;

  bool native_bf16() const { return isa >= Isa::kAvx512Bf16; }
};

// The best instruction set of this machine, but no better than `max_isa`.
KernelContext MakeKernelContext(Mode mode, Isa max_isa = Isa::kAmxBf16);

}  // namespace percept
