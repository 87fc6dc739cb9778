// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kernels/core/error.h"

namespace percept {

[[noreturn]] void FailCheck(const char* condition, const char* file, int line);

}  // namespace percept

// Always on: a violated PERCEPT_CHECK is our bug and throws InternalError.
#define PERCEPT_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::percept::FailCheck(#condition, __FILE__, __LINE__))

// Debug builds only, for checks inside inner loops.
#ifdef NDEBUG
#define PERCEPT_DCHECK(condition) static_cast<void>(0)
#else
#define PERCEPT_DCHECK(condition) PERCEPT_CHECK(condition)
#endif
