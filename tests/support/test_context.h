// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>

#include "kernels/cpu/context.h"

namespace percept {

// The best instruction set of this machine, capped by PERCEPT_TEST_MAX_ISA: scripts/test runs the tests a second time
// with it.
inline Isa TestMaxIsa() {
  const char* cap = std::getenv("PERCEPT_TEST_MAX_ISA");
  return cap == nullptr ? Isa::kAmxBf16 : ParseIsa(cap);
}

inline KernelContext TestContext(Mode mode) { return MakeKernelContext(mode, TestMaxIsa()); }

}  // namespace percept
