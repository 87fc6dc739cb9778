// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "graph/run/executor.h"
#include "kernels/bench/machine_limits.h"
#include "kernels/cpu/context.h"

namespace percept::cli {

// What the machine can do, to compare stages with: medians of all that was measured. The functions that measure are
// for a worker, whose arena they use.
class MachineRates {
 public:
  // Each call measures `num_repetitions` times.
  explicit MachineRates(int num_repetitions) : num_repetitions_(num_repetitions) {}

  // Reads `size_bytes`, a multiple of 1 MiB. Throws std::bad_alloc.
  void MeasureReading(int64_t size_bytes);
  void MeasureProducts(Isa isa);

  double read_bytes_per_s() const { return Median(read_rates_); }
  // 0 where nothing was to be run.
  double ops_per_s() const { return product_rates_.empty() ? 0 : Median(product_rates_); }
  std::string_view products() const { return products_; }

 private:
  static double Median(std::vector<double> rates);

  const int num_repetitions_;
  std::string_view products_;
  std::vector<double> read_rates_, product_rates_;
};

// Runs a function on a worker, where the loops of the kernels find the others, and waits for it. Throws what it throws.
void RunOnWorker(graph::Executor& executor, const std::function<void()>& function);

}  // namespace percept::cli
