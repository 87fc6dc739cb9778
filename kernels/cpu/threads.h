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

// So many threads at most take part in one loop.
inline constexpr int64_t kMaxSlotThreads = 64;

// Calls body(slot, item) for every item of [0, num_items). The items are cut into one run of neighbours per slot; each
// thread starts with the run of its place in the arena, in ascending order, and then takes over what other runs have
// left: loops over the same rows find them in the cache of the core that wrote them. ParallelFor hands out its ranges
// the same way. A slot is used by one thread at a time, so what a body needs as scratch can be one slice per slot.
// Otherwise as ParallelFor.
void ParallelForSlots(int64_t num_items, int64_t num_slots, FunctionRef<void(int64_t slot, int64_t item)> body);

// Workers of the arena the caller runs in.
int NumWorkers();

// Sets OpenMP to one thread for the calling thread (the setting is per thread), so that a library with loops of its own
// starts no team beside the workers. Call it on every worker before its first task.
void UseOneOpenMpThread();

}  // namespace percept
