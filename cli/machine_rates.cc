// SPDX-License-Identifier: Apache-2.0
#include "cli/machine_rates.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <future>
#include <memory>

#include "kernels/core/error.h"
#include "kernels/cpu/threads.h"

namespace percept::cli {
namespace {

template <typename Function>
double SecondsOf(const Function& function) {
  const auto start = std::chrono::steady_clock::now();
  function();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class FunctionTask : public graph::Task {
 public:
  explicit FunctionTask(const std::function<void()>& function) : function_(function) {}
  void Run() noexcept override {
    const std::shared_ptr<std::promise<void>> outlives_task = done;
    try {
      function_();
      outlives_task->set_value();
    } catch (...) {
      outlives_task->set_exception(std::current_exception());
    }
  }
  const std::shared_ptr<std::promise<void>> done = std::make_shared<std::promise<void>>();

 private:
  const std::function<void()>& function_;
};

}  // namespace

void MachineRates::MeasureReading(int64_t size_bytes) {
  const MemoryReading memory(size_bytes);
  for (int i = 0; i < num_repetitions_; ++i) {
    const double seconds = SecondsOf([&] {
      if (!memory.ReadOnce()) throw InternalError("memory was not read as it was written");
    });
    read_rates_.push_back(static_cast<double>(size_bytes) / seconds);
  }
}

void MachineRates::MeasureProducts(Isa isa) {
  const ProductLoop loop = FastestProducts(isa);
  products_ = loop.name;
  if (loop.run == nullptr) return;
  const int64_t num_workers = NumWorkers();
  const auto num_rounds = static_cast<int64_t>(1e10 / loop.ops_per_round);
  for (int i = 0; i < num_repetitions_; ++i) {
    const double seconds =
        SecondsOf([&] { ParallelForSlots(num_workers, num_workers, [&](int64_t, int64_t) { loop.run(num_rounds); }); });
    product_rates_.push_back(static_cast<double>(num_workers * num_rounds) * loop.ops_per_round / seconds);
  }
}

double MachineRates::Median(std::vector<double> rates) {
  std::nth_element(rates.begin(), rates.begin() + static_cast<std::ptrdiff_t>(rates.size() / 2), rates.end());
  return rates[rates.size() / 2];
}

void RunOnWorker(graph::Executor& executor, const std::function<void()>& function) {
  FunctionTask task(function);
  executor.Enqueue(task);
  task.done->get_future().get();
}

}  // namespace percept::cli
