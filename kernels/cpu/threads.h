// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/core/function_ref.h"

namespace percept {

// Calls body(begin, end) for consecutive ranges that cover [0, count), on the workers of the arena the caller runs in.
// Ranges hold at least `grain` items (but for the last). Returns when all are done; the first exception is rethrown.
// The caller's thread works on this loop alone until it returns (isolated), so thread-local scratch must not live
// across it. Runs inline when one range is enough.
void ParallelFor(int64_t count, int64_t grain, FunctionRef<void(int64_t begin, int64_t end)> body);

// Workers of the arena the caller runs in.
int NumWorkers();

}  // namespace percept
