// SPDX-License-Identifier: Apache-2.0
//
// Linear against oneDNN's own matmul on the shapes of the vision towers, and the speed of one-row products against the
// memory's bandwidth. Every candidate of a shape runs in the same process: ours with every worker, oneDNN with weights
// in the layout it likes best (format_tag::any, 64-byte aligned) with its own OpenMP team, and the same one product per
// worker over rows split between the workers. Results are checked before they are timed. f32 rows out. ours_fast reads
// rows rounded to bf16 as the candidates do, which is what the tower's norms and activations hand over; ours_fast_f32
// rounds them itself.

#include <benchmark/benchmark.h>
#include <omp.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <oneapi/dnnl/dnnl.hpp>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "bench/measure.h"
#include "kernels/cpu/threads.h"
#include "kernels/ops/linear.h"

namespace percept {
namespace {

struct Layer {
  const char* name;
  int64_t rows, in, out;
};

constexpr Layer kLayers[] = {
    {"e2b_qkvo", 630, 768, 768},      {"e2b_up", 630, 768, 3072},     {"e2b_down", 630, 3072, 768},
    {"e2b_qkvo", 2520, 768, 768},     {"e2b_up", 2520, 768, 3072},    {"e2b_down", 2520, 3072, 768},
    {"embedded_qkvo", 630, 192, 192}, {"embedded_up", 630, 192, 768}, {"embedded_down", 630, 768, 192},
};

std::string Label(const char* candidate, const Layer& layer) {
  return std::string(candidate) + "/" + layer.name + "/" + std::to_string(layer.rows) + "x" + std::to_string(layer.in) +
         "x" + std::to_string(layer.out);
}

// Inputs of one layer and its expected result in some places.
class Problem {
 public:
  explicit Problem(const Layer& layer)
      : layer_(layer),
        x_(layer.rows, layer.in),
        y_(layer.rows, layer.out),
        narrow_(static_cast<size_t>(layer.rows * layer.in) * 2),
        weight_(static_cast<size_t>(layer.in * layer.out) * 2) {
    std::mt19937 generator(1);
    std::normal_distribution<float> normal(0.0f, 1.0f);
    for (int64_t r = 0; r < layer.rows; ++r) {
      for (int64_t k = 0; k < layer.in; ++k) {
        narrow()[r * layer.in + k] = FloatToBF16(normal(generator));
        x_.view().row(r)[k] = BF16ToFloat(narrow()[r * layer.in + k]);
      }
    }
    for (int64_t i = 0; i < layer.in * layer.out; ++i) {
      weight()[i] = FloatToBF16(normal(generator));
    }
  }

  const Layer& layer() const { return layer_; }
  ConstMatrixView x() const { return x_.view(); }
  MatrixView y() const { return y_.view(); }
  uint16_t* narrow() const { return reinterpret_cast<uint16_t*>(narrow_.get()); }
  uint16_t* weight() const { return reinterpret_cast<uint16_t*>(weight_.get()); }
  ConstTensor weight_tensor() const { return {weight(), DType::kBF16, {layer_.out, layer_.in}}; }

  // The y that lies at `values` with the given stride is the product, checked at some hundred places.
  bool Holds(const float* values, int64_t stride) const {
    for (int64_t i = 0; i < 300; ++i) {
      const int64_t row = i * 7919 % layer_.rows;
      const int64_t col = i * 104729 % layer_.out;
      double sum = 0;
      for (int64_t k = 0; k < layer_.in; ++k) {
        sum += static_cast<double>(BF16ToFloat(narrow()[row * layer_.in + k])) *
               BF16ToFloat(weight()[col * layer_.in + k]);
      }
      if (!(std::abs(values[row * stride + col] - sum) <= 1e-3 * std::sqrt(static_cast<double>(layer_.in)))) {
        return false;
      }
    }
    return true;
  }

 private:
  Layer layer_;
  Matrix x_;
  Matrix y_;
  Buffer narrow_;
  Buffer weight_;
};

double GigaFlops(const Layer& layer) { return 2e-9 * static_cast<double>(layer.rows * layer.in * layer.out); }

// From rows in bf16, as an op before the product leaves them.
void BM_OursRounded(benchmark::State& state, const Layer& layer) {
  const Problem problem(layer);
  const KernelContext context = MakeKernelContext(Mode::kFast);
  const ops::LinearWeight weight = ops::LinearWeight::Packed(context, problem.weight_tensor());
  if (!ops::ReadsBF16(context, weight)) {
    state.SkipWithError("no native bf16 products here");
    return;
  }
  const ops::BF16Rows x{.data = problem.narrow(), .rows = layer.rows, .cols = layer.in};
  Arena scratch(ops::LinearScratchBytes(layer.rows, layer.in, layer.out));
  tbb::task_arena arena;
  arena.execute([&] { ops::Linear(context, weight, x, problem.y(), scratch); });
  if (!problem.Holds(problem.y().data, problem.y().stride)) {
    state.SkipWithError("wrong result");
    return;
  }
  arena.execute([&] {
    Measure(state, "GFLOPS", GigaFlops(layer), [&] { ops::Linear(context, weight, x, problem.y(), scratch); });
  });
}

void BM_Ours(benchmark::State& state, const Layer& layer, Mode mode, Isa isa) {
  const Problem problem(layer);
  const KernelContext context = MakeKernelContext(mode, isa);
  const ops::LinearWeight weight = ops::LinearWeight::Packed(context, problem.weight_tensor());
  Arena scratch(ops::LinearScratchBytes(layer.rows, layer.in, layer.out));
  tbb::task_arena arena;
  arena.execute([&] { ops::Linear(context, weight, problem.x(), problem.y(), scratch); });
  if (!problem.Holds(problem.y().data, problem.y().stride)) {
    state.SkipWithError("wrong result");
    return;
  }
  arena.execute([&] {
    Measure(state, "GFLOPS", GigaFlops(layer),
            [&] { ops::Linear(context, weight, problem.x(), problem.y(), scratch); });
  });
}

// oneDNN's matmul over `rows` rows as it comes.
class OneDnnMatmul {
 public:
  OneDnnMatmul(const Problem& problem, int64_t rows) : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    const Layer& layer = problem.layer();
    using dnnl::memory;
    const memory::desc a({rows, layer.in}, memory::data_type::bf16, memory::format_tag::ab);
    const memory::desc b({layer.in, layer.out}, memory::data_type::bf16, memory::format_tag::any);
    const memory::desc c({rows, layer.out}, memory::data_type::f32, memory::format_tag::ab);
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc description(engine_, a, b, c);
#else
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a, b, c), engine_);
#endif
    matmul_ = dnnl::matmul(description);
    a_ = memory(a, engine_, nullptr);
    c_ = memory(c, engine_, nullptr);
    weight_ = Buffer(description.weights_desc().get_size());
    b_ = memory(description.weights_desc(), engine_, weight_.get());
    memory rows_of_weight({{layer.in, layer.out}, memory::data_type::bf16, memory::format_tag::ba}, engine_,
                          problem.weight());
    dnnl::reorder(rows_of_weight, b_).execute(stream_, rows_of_weight, b_);
    stream_.wait();
    args_ = {{DNNL_ARG_SRC, a_}, {DNNL_ARG_WEIGHTS, b_}, {DNNL_ARG_DST, c_}};
  }

  void Run(uint16_t* a, float* c) {
    a_.set_data_handle(a);
    c_.set_data_handle(c);
    matmul_.execute(stream_, args_);
    stream_.wait();
  }

 private:
  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::matmul matmul_;
  Buffer weight_;
  dnnl::memory a_, b_, c_;
  std::unordered_map<int, dnnl::memory> args_;
};

void BM_OneDnnOpenMp(benchmark::State& state, const Layer& layer) {
  const Problem problem(layer);
  Buffer y(static_cast<size_t>(layer.rows * layer.out) * sizeof(float));
  float* out = reinterpret_cast<float*>(y.get());
  omp_set_num_threads(omp_get_num_procs());
  OneDnnMatmul matmul(problem, layer.rows);
  matmul.Run(problem.narrow(), out);
  if (!problem.Holds(out, layer.out)) {
    state.SkipWithError("wrong result");
    return;
  }
  Measure(state, "GFLOPS", GigaFlops(layer), [&] { matmul.Run(problem.narrow(), out); });
}

void BM_OneDnnPerWorker(benchmark::State& state, const Layer& layer) {
  const Problem problem(layer);
  Buffer y(static_cast<size_t>(layer.rows * layer.out) * sizeof(float));
  float* out = reinterpret_cast<float*>(y.get());
  tbb::task_arena arena;
  bool holds = false;
  arena.execute([&] {
    omp_set_num_threads(1);
    const int64_t workers = NumWorkers();
    const int64_t part = (layer.rows + workers - 1) / workers;
    std::vector<std::unique_ptr<OneDnnMatmul>> parts;
    for (int64_t first = 0; first < layer.rows; first += part) {
      parts.push_back(std::make_unique<OneDnnMatmul>(problem, std::min(part, layer.rows - first)));
    }
    const auto run = [&] {
      ParallelForSlots(static_cast<int64_t>(parts.size()), workers, [&](int64_t /*slot*/, int64_t i) {
        omp_set_num_threads(1);
        parts[static_cast<size_t>(i)]->Run(problem.narrow() + i * part * layer.in, out + i * part * layer.out);
      });
    };
    run();
    holds = problem.Holds(out, layer.out);
    if (holds) {
      Measure(state, "GFLOPS", GigaFlops(layer), run);
    }
  });
  if (!holds) {
    state.SkipWithError("wrong result");
  }
}

// Reads 256 MiB with every worker: what a one-row product over weights in memory can reach at best.
void BM_MemoryBandwidth(benchmark::State& state) {
  constexpr int64_t kBytes = 256 << 20;
  const Buffer buffer(static_cast<size_t>(kBytes));
  std::memset(buffer.get(), 1, static_cast<size_t>(kBytes));
  tbb::task_arena arena;
  const auto read = [&] {
    std::atomic<uint64_t> total{0};
    ParallelFor(kBytes / 4096, 64, [&](int64_t begin, int64_t end) {
      const uint64_t* words = reinterpret_cast<const uint64_t*>(buffer.get());
      uint64_t sums[16] = {};
      for (int64_t i = begin * 512; i < end * 512; i += 16) {
        __builtin_prefetch(words + i + 512);
        __builtin_prefetch(words + i + 520);
        for (int64_t lane = 0; lane < 16; ++lane) {
          sums[lane] += words[i + lane];
        }
      }
      total += std::accumulate(std::begin(sums), std::end(sums), uint64_t{0});
    });
    if (total != 0x0101010101010101u * static_cast<uint64_t>(kBytes / 8)) {
      state.SkipWithError("wrong sum");
    }
  };
  arena.execute([&] { Measure(state, "GB", 1e-9 * static_cast<double>(kBytes), read); });
}

// `rows` rows times a weight far larger than the caches. Bytes are the weight's.
void BM_FewRows(benchmark::State& state, bool packed, Mode mode) {
  const Layer layer{"table", state.range(0), 1536, 65536};
  const Problem problem(layer);
  const KernelContext context = MakeKernelContext(mode);
  const ops::LinearWeight weight = packed ? ops::LinearWeight::Packed(context, problem.weight_tensor())
                                          : ops::LinearWeight::Mapped(problem.weight_tensor());
  Arena scratch(ops::LinearScratchBytes(layer.rows, layer.in, layer.out));
  tbb::task_arena arena;
  arena.execute([&] {
    Measure(state, "GB", 2e-9 * static_cast<double>(layer.in * layer.out),
            [&] { ops::Linear(context, weight, problem.x(), problem.y(), scratch); });
  });
  if (!problem.Holds(problem.y().data, problem.y().stride)) {
    state.SkipWithError("wrong result");
  }
}

// Where bf16 tiles begin to pay: few rows, weights in the cache.
void BM_Crossover(benchmark::State& state, Mode mode) {
  BM_Ours(state, {"crossover", state.range(0), 768, 768}, mode, Isa::kAmxBf16);
}

void RegisterAll() {
  for (const Layer& layer : kLayers) {
    const auto add = [&](const char* candidate, auto function) {
      benchmark::RegisterBenchmark(Label(candidate, layer).c_str(), function)
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond);
    };
    add("ours_fast", [&layer](benchmark::State& s) { BM_OursRounded(s, layer); });
    add("ours_fast_f32", [&layer](benchmark::State& s) { BM_Ours(s, layer, Mode::kFast, Isa::kAmxBf16); });
    add("onednn_openmp", [&layer](benchmark::State& s) { BM_OneDnnOpenMp(s, layer); });
    add("onednn_per_worker", [&layer](benchmark::State& s) { BM_OneDnnPerWorker(s, layer); });
    add("ours_exact", [&layer](benchmark::State& s) { BM_Ours(s, layer, Mode::kExact, Isa::kAmxBf16); });
    add("ours_avx2", [&layer](benchmark::State& s) { BM_Ours(s, layer, Mode::kFast, Isa::kAvx2); });
  }
  benchmark::RegisterBenchmark("memory_bandwidth", BM_MemoryBandwidth)->UseRealTime()->Unit(benchmark::kMillisecond);
  const auto few_rows = [](const char* name, bool packed, Mode mode) {
    benchmark::RegisterBenchmark(name, [=](benchmark::State& s) { BM_FewRows(s, packed, mode); })
        ->Arg(1)
        ->Arg(4)
        ->Arg(8)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  };
  few_rows("few_rows/packed_fast", true, Mode::kFast);
  few_rows("few_rows/packed_exact", true, Mode::kExact);
  few_rows("few_rows/mapped", false, Mode::kFast);
  for (const Mode mode : {Mode::kFast, Mode::kExact}) {
    benchmark::RegisterBenchmark(mode == Mode::kFast ? "crossover/fast" : "crossover/exact",
                                 [=](benchmark::State& s) { BM_Crossover(s, mode); })
        ->DenseRange(1, 12)
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
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
