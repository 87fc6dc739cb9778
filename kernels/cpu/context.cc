// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/context.h"

#include <algorithm>
#include <array>
#include <string>

#include "kernels/core/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace percept {
namespace {

struct IsaSpelling {
  Isa isa;
  std::string_view name;
};

constexpr std::array<IsaSpelling, 6> kSpellings = {{{Isa::kPortable, "portable"},
                                                    {Isa::kAvx2, "avx2"},
                                                    {Isa::kAvx512, "avx512"},
                                                    {Isa::kAvx512Vnni, "avx512-vnni"},
                                                    {Isa::kAvx512Bf16, "avx512-bf16"},
                                                    {Isa::kAmxBf16, "amx-bf16"}}};

#if defined(__x86_64__)

struct CpuidLeaf {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

CpuidLeaf Cpuid(unsigned leaf, unsigned subleaf) {
  CpuidLeaf result;
  if (__get_cpuid_count(leaf, subleaf, &result.eax, &result.ebx, &result.ecx, &result.edx) == 0) {
    return {};
  }
  return result;
}

bool HasBits(uint64_t word, uint64_t bits) { return (word & bits) == bits; }

// The register sets that the operating system saves (XCR0).
uint64_t SavedRegisters() {
  unsigned low = 0;
  unsigned high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

// Linux gives a process the tile registers only when it asks for them.
bool RequestTileRegisters() {
#if defined(__linux__)
  constexpr int kArchReqXcompPerm = 0x1023;
  constexpr int kTileDataFeature = 18;
  return syscall(SYS_arch_prctl, kArchReqXcompPerm, kTileDataFeature) == 0;
#else
  return false;
#endif
}

Isa DetectX86() {
  constexpr unsigned kOsxsave = 1u << 27, kFma = 1u << 12, kF16c = 1u << 29;                        // 1: ecx
  constexpr unsigned kAvx2 = 1u << 5;                                                               // 7.0: ebx
  constexpr unsigned kAvx512 = (1u << 16) | (1u << 17) | (1u << 30) | (1u << 31);                   // F, DQ, BW, VL
  constexpr unsigned kVnni = 1u << 11;                                                              // 7.0: ecx
  constexpr unsigned kAmxBf16 = 1u << 22, kAmxTile = 1u << 24;                                      // 7.0: edx
  constexpr unsigned kAvx512Bf16 = 1u << 5;                                                         // 7.1: eax
  constexpr uint64_t kYmmSaved = 0x6, kZmmSaved = 0xe6, kTilesSaved = (1ull << 17) | (1ull << 18);  // XCR0
  const CpuidLeaf basic = Cpuid(1, 0);
  if (!HasBits(basic.ecx, kOsxsave | kFma | kF16c)) {
    return Isa::kPortable;
  }
  const uint64_t saved = SavedRegisters();
  const CpuidLeaf extended = Cpuid(7, 0);
  if (!HasBits(saved, kYmmSaved) || !HasBits(extended.ebx, kAvx2)) {
    return Isa::kPortable;
  }
  if (!HasBits(saved, kZmmSaved) || !HasBits(extended.ebx, kAvx512)) {
    return Isa::kAvx2;
  }
  if (!HasBits(extended.ecx, kVnni)) {
    return Isa::kAvx512;
  }
  if (!HasBits(Cpuid(7, 1).eax, kAvx512Bf16)) {
    return Isa::kAvx512Vnni;
  }
  if (!HasBits(saved, kTilesSaved) || !HasBits(extended.edx, kAmxBf16 | kAmxTile) || !RequestTileRegisters()) {
    return Isa::kAvx512Bf16;
  }
  return Isa::kAmxBf16;
}

#endif

}  // namespace

std::string_view IsaName(Isa isa) { return kSpellings[static_cast<size_t>(isa)].name; }

Isa ParseIsa(std::string_view name) {
  std::string names;
  for (const IsaSpelling& spelling : kSpellings) {
    if (spelling.name == name) {
      return spelling.isa;
    }
    names += names.empty() ? "" : ", ";
    names += spelling.name;
  }
  throw ArgumentError("unknown instruction set '" + std::string(name) + "': expected one of " + names);
}

Isa DetectIsa() {
#if defined(__x86_64__)
  static const Isa kDetected = DetectX86();
  return kDetected;
#else
  return Isa::kPortable;
#endif
}

KernelContext MakeKernelContext(Mode mode, Isa max_isa) { return {std::min(DetectIsa(), max_isa), mode}; }

}  // namespace percept
