// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/threads.h"

namespace percept::ops {

// Calls body(row) for every row, in parallel where `row_cost` (about the floats a row touches) makes it worth while.
// For ops that treat every row alone: no result depends on how the rows were shared out.
template <typename Body>
void ForEachRow(int64_t rows, int64_t row_cost, Body&& body) {
  constexpr int64_t kMinTaskCost = 16 * 1024;  // below it, waking a worker costs more than the work
  const int64_t grain = std::max<int64_t>(1, kMinTaskCost / std::max<int64_t>(1, row_cost));
  ParallelFor(rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      body(row);
    }
  });
}

}  // namespace percept::ops
