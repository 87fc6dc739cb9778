// SPDX-License-Identifier: Apache-2.0
//
// Linear on weights of every type at the shapes of E2B's decoder: what share of the memory's bandwidth a few rows
// reach, and what share of the CPU's rate of 8-bit products many rows do. Both limits are measured in the same process.
// The weights of a benchmark are many different matrices, more than the caches hold, used in turn as a decoder's layers
// are.
//
// GB: bytes of weights. Results are checked before they are timed.

#include <benchmark/benchmark.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bench/measure.h"
#include "kernels/bench/machine_limits.h"
#include "kernels/bench/random_blocks.h"
#include "kernels/cpu/threads.h"
#include "kernels/ops/dequantize.h"
#include "kernels/ops/linear.h"

namespace percept {
namespace {

struct Layer {
  const char* name;
  int64_t in, out;
  bool mapped;
};
constexpr Layer kLayers[] = {{"up", 1536, 6144, false},
                             {"down", 12288, 1536, false},
                             {"lm_head", 1536, 262144, false},
                             {"lm_head_mapped", 1536, 262144, true}};

constexpr DType kTypes[] = {DType::kQ40, DType::kQ41, DType::kQ50,  DType::kQ80,  DType::kQ4K,
                            DType::kQ5K, DType::kQ6K, DType::kInt4, DType::kBF16, DType::kF16};

// A random [out, in] weight.
class FileWeight {
 public:
  FileWeight(DType dtype, int64_t out, int64_t in)
      : bytes_(static_cast<size_t>(BytesOf(dtype, out * in))),
        scales_(static_cast<size_t>(dtype == DType::kInt4 ? out * in / 32 : 0), FloatToBF16(0.01f)),
        tensor_{.bytes = bytes_.get(), .dtype = dtype, .shape = {out, in}} {
    FillRandomBlocks(dtype, {bytes_.get(), bytes_.size_bytes()});
    if (!scales_.empty()) {
      tensor_.scales = scales_.data();
    }
  }

  const ConstTensor& tensor() const { return tensor_; }
  size_t size_bytes() const { return bytes_.size_bytes() + scales_.size() * 2; }

 private:
  Buffer bytes_;
  std::vector<uint16_t> scales_;
  ConstTensor tensor_;
};

// y is the product of x with the weight, checked at some places to what rounding activations to 8 bits may do.
bool Holds(const ConstTensor& weight, ConstMatrixView x, ConstMatrixView y) {
  std::vector<float> row(static_cast<size_t>(weight.width()));
  for (int64_t i = 0; i < 40; ++i) {
    const int64_t r = i * 7919 % x.rows;
    const int64_t n = i * 104729 % y.cols;
    ops::DequantizeColumns(Isa::kPortable, weight, n, 0, weight.width(), row.data());
    double sum = 0;
    double squares = 0;
    for (int64_t k = 0; k < x.cols; ++k) {
      const double product = static_cast<double>(x.row(r)[k]) * row[static_cast<size_t>(k)];
      sum += product;
      squares += product * product;
    }
    if (!(std::abs(y.row(r)[n] - sum) <= 0.05 * std::sqrt(squares))) {
      return false;
    }
  }
  return true;
}

void BM_Linear(benchmark::State& state, const Layer& layer, DType dtype, int64_t rows, Mode mode, Isa isa) {
  constexpr size_t kMinBytes = 160 << 20;  // several times the last cache
  const KernelContext context = MakeKernelContext(mode, isa);
  const FileWeight file(dtype, layer.out, layer.in);
  std::vector<ops::LinearWeight> weights;
  for (size_t bytes = 0; bytes < kMinBytes; bytes += file.size_bytes()) {
    weights.push_back(layer.mapped ? ops::LinearWeight::Mapped(file.tensor())
                                   : ops::LinearWeight::Packed(context, file.tensor()));
    if (layer.mapped || rows > 64) {
      break;
    }
  }
  const Matrix x(rows, layer.in);
  std::mt19937 random(2);
  std::normal_distribution<float> normal(0.0f, 1.0f);
  for (int64_t r = 0; r < rows; ++r) {
    std::generate_n(x.view().row(r), layer.in, [&] { return normal(random); });
  }
  const Matrix y(rows, layer.out);
  Arena scratch(ops::LinearScratchBytes(rows, layer.in, layer.out));
  tbb::task_arena arena;
  size_t turn = 0;
  const auto run = [&] { ops::Linear(context, weights[turn++ % weights.size()], x.view(), y.view(), scratch); };
  arena.execute(run);
  if (!Holds(file.tensor(), x.view(), y.view())) {
    state.SkipWithError("wrong result");
    return;
  }
  const double products = static_cast<double>(rows * layer.in * layer.out);
  if (rows <= 16) {
    arena.execute([&] { Measure(state, "GB", 1e-9 * static_cast<double>(file.size_bytes()), run); });
  } else {
    arena.execute([&] { Measure(state, "GOPS", 2e-9 * products, run); });
  }
}

// Every worker reads its parts of a buffer that no cache holds, as fast as it can.
void BM_MemoryBandwidth(benchmark::State& state) {
  const MemoryReading memory;
  tbb::task_arena arena;
  arena.execute([&] {
    Measure(state, "GB", 1e-9 * static_cast<double>(memory.size_bytes()), [&] {
      if (!memory.ReadOnce()) state.SkipWithError("wrong sum");
    });
  });
}

// The rate of 8-bit products, two operations each, of all workers.
void BM_ByteProducts(benchmark::State& state) {
  const ProductLoop products = FastestProducts(DetectIsa());
  if (products.run == nullptr) {
    state.SkipWithError("no vector products here");
    return;
  }
  state.SetLabel(std::string(products.name));
  constexpr int64_t kRounds = 1 << 20;
  tbb::task_arena arena;
  arena.execute([&] {
    const int64_t workers = NumWorkers();
    Measure(state, "GOPS", 1e-9 * static_cast<double>(workers * kRounds) * products.ops_per_round,
            [&] { ParallelForSlots(workers, workers, [&](int64_t, int64_t) { products.run(kRounds); }); });
  });
}

void RegisterAll() {
  const auto add = [](const std::string& name, auto function) {
    benchmark::RegisterBenchmark(name.c_str(), function)->UseRealTime()->Unit(benchmark::kMillisecond);
  };
  add("memory_bandwidth", BM_MemoryBandwidth);
  add("byte_products", BM_ByteProducts);
  for (const Layer& layer : kLayers) {
    for (const DType dtype : kTypes) {
      for (const int64_t rows : {1, 4, 8, 64, 512}) {
        if (layer.out > 100000 && rows > 8) {
          continue;
        }
        const auto add_mode = [&](const std::string& mode_name, Mode mode, Isa isa) {
          add(mode_name + "/" + layer.name + "/" + std::string(Traits(dtype).name) + "/" + std::to_string(rows),
              [=, &layer](benchmark::State& s) { BM_Linear(s, layer, dtype, rows, mode, isa); });
        };
        add_mode("fast", Mode::kFast, Isa::kAmxBf16);
        add_mode("exact", Mode::kExact, Isa::kAmxBf16);
        add_mode("avx2", Mode::kFast, Isa::kAvx2);
      }
    }
  }
}

}  // namespace
}  // namespace percept

int main(int argc, char** argv) {
  percept::RegisterAll();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 1;
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
