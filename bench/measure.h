// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>

namespace percept {

// Runs `body` for every iteration and reports, beside the mean, the best of them: what the machine gives when nothing
// else wants it. `work` is in units of 10^9 for one iteration.
template <typename Body>
void Measure(benchmark::State& state, const char* unit, double work, Body&& body) {
  double best_seconds = std::numeric_limits<double>::infinity();
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best_seconds = std::min(best_seconds, seconds.count());
  }
  state.counters[unit] = benchmark::Counter(work, benchmark::Counter::kIsIterationInvariantRate);
  state.counters[std::string("best_") + unit] = work / best_seconds;
}

}  // namespace percept
