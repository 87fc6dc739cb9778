// SPDX-License-Identifier: Apache-2.0
//
// Attention on the shapes of towers, prefill and decode, for every instruction set of this machine. Results are checked
// against exact mode first. FLOPs count both products over the visible pairs.

#include <benchmark/benchmark.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "kernels/ops/attention.h"

namespace percept {
namespace {

struct AttentionShape {
  const char* name;
  int64_t rows, heads, kv_heads, head_dim, keys;
  bool causal;
};

constexpr AttentionShape kShapes[] = {
    {"embedded_tower", 630, 3, 3, 64, 630, false},      {"e2b_tower", 630, 12, 12, 64, 630, false},
    {"e2b_tower", 2520, 12, 12, 64, 2520, false},       {"large_tower", 2520, 16, 16, 72, 2520, false},
    {"e2b_prefill_sliding", 256, 8, 1, 256, 512, true}, {"e2b_prefill_full", 256, 8, 1, 512, 1024, true},
    {"e2b_decode_sliding", 1, 8, 1, 256, 512, true},    {"e2b_decode_full", 1, 8, 1, 512, 4096, true},
    {"embedded_decode", 1, 4, 2, 64, 300, true},
};

class Problem {
 public:
  explicit Problem(const AttentionShape& shape)
      : shape_(shape),
        q_(shape.rows, shape.heads * shape.head_dim),
        k_(shape.keys, shape.kv_heads * shape.head_dim),
        v_(shape.keys, shape.kv_heads * shape.head_dim),
        out_(shape.rows, shape.heads * shape.head_dim),
        scratch_(ops::AttentionScratchBytes(shape.rows, shape.heads, shape.head_dim, shape.keys)) {
    Fill(q_, 1, 1.0f / std::sqrt(static_cast<float>(shape.head_dim)));
    Fill(k_, 2, 1.0f);
    Fill(v_, 3, 1.0f);
    for (int64_t r = 0; r < shape.rows; ++r) {
      ranges_.push_back({0, shape.causal ? shape.keys - shape.rows + r + 1 : shape.keys});
      pairs_ += static_cast<double>(ranges_.back().end);
    }
  }

  double GigaFlops() const { return 4e-9 * pairs_ * static_cast<double>(shape_.heads * shape_.head_dim); }

  void Run(const KernelContext& context) {
    const float* k = k_.view().data;
    const float* v = v_.view().data;
    const ops::KeyValueView keys{&k, &v, shape_.keys, shape_.keys, shape_.kv_heads, shape_.head_dim};
    ops::Attention(context, q_.view(), shape_.heads, keys, ranges_, out_.view(), scratch_);
  }

  // The largest difference between what `context` and exact mode give.
  double Difference(const KernelContext& context) {
    Run(MakeKernelContext(Mode::kExact, context.isa));
    Matrix exact(shape_.rows, out_.cols());
    std::copy_n(out_.view().data, out_.size_bytes() / sizeof(float), exact.view().data);
    Run(context);
    double largest = 0;
    for (int64_t r = 0; r < shape_.rows; ++r) {
      for (int64_t c = 0; c < out_.cols(); ++c) {
        largest = std::max<double>(largest, std::abs(out_.view().row(r)[c] - exact.view().row(r)[c]));
      }
    }
    return largest;
  }

 private:
  static void Fill(const Matrix& matrix, uint32_t seed, float deviation) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0.0f, deviation);
    for (int64_t r = 0; r < matrix.rows(); ++r) {
      std::generate_n(matrix.view().row(r), matrix.cols(), [&] { return normal(generator); });
    }
  }

  AttentionShape shape_;
  Matrix q_, k_, v_, out_;
  Arena scratch_;
  std::vector<ops::KeyRange> ranges_;
  double pairs_ = 0;
};

void BM_Attention(benchmark::State& state, const AttentionShape& shape, Isa isa) {
  Problem problem(shape);
  const KernelContext context = MakeKernelContext(Mode::kFast, isa);
  tbb::task_arena arena;
  arena.execute([&] {
    if (!(problem.Difference(context) < 2e-2)) {
      state.SkipWithError("wrong result");
      return;
    }
    Measure(state, "GFLOPS", problem.GigaFlops(), [&] { problem.Run(context); });
  });
}

void RegisterAll() {
  for (const AttentionShape& shape : kShapes) {
    for (const Isa isa : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512, Isa::kAmxBf16}) {
      if (isa > DetectIsa()) {
        continue;
      }
      const std::string name = std::string(shape.name) + "/" + std::to_string(shape.rows) + "x" +
                               std::to_string(shape.keys) + "/" + std::string(IsaName(isa));
      benchmark::RegisterBenchmark(name.c_str(), [&shape, isa](benchmark::State& s) { BM_Attention(s, shape, isa); })
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond);
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
