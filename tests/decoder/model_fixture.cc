// SPDX-License-Identifier: Apache-2.0
#include "tests/decoder/model_fixture.h"

#include <tbb/task_arena.h>

#include <algorithm>

namespace percept {

OpenDecoder::OpenDecoder(const std::filesystem::path& folder, const KernelContext& context, EmbeddingScale scale,
                         MediaRunMask mask)
    : config(ReadTextConfig(folder / "config.json")), source(OpenSafetensors(folder)) {
  config.media_run_mask = mask;
  ClaimList claims(*source);
  decoder = std::make_unique<TextDecoder>(config, TextWeights::Bind(config, claims, context, scale), context);
}

PromptRows::PromptRows(const GoldenFile& golden, const std::string& name, int64_t hidden_size) {
  for (const int64_t id : golden.Integers(name + "/input_ids")) {
    ids.push_back(static_cast<int32_t>(id));
  }
  soft_idx.assign(ids.size(), -1);
  if (!golden.Has(name + "/token_type")) {
    return;
  }
  std::vector<float> rows;
  if (golden.Has(name + "/f32/vision.soft")) {
    rows = golden.Floats(name + "/f32/vision.soft");
  }
  for (int clip = 0; golden.Has(name + "/f32/clip" + std::to_string(clip) + ".soft"); ++clip) {
    const std::vector<float> more = golden.Floats(name + "/f32/clip" + std::to_string(clip) + ".soft");
    rows.insert(rows.end(), more.begin(), more.end());
  }
  soft = Matrix(static_cast<int64_t>(rows.size()) / hidden_size, hidden_size);
  for (int64_t row = 0; row < soft.rows(); ++row) {
    std::copy_n(rows.data() + row * hidden_size, hidden_size, soft.view().row(row));
  }
  const std::vector<int64_t> types = golden.Integers(name + "/token_type");
  int64_t next = 0;
  for (size_t row = 0; row < ids.size(); ++row) {
    soft_idx[row] = types[row] != 0 ? next++ : -1;
  }
}

int64_t PromptRows::ChunkEnd(int64_t begin, int64_t rows, bool whole_runs) const {
  int64_t end = std::min(num_rows(), begin + rows);
  const auto is_soft = [&](int64_t row) { return soft_idx[static_cast<size_t>(row)] >= 0; };
  while (whole_runs && end < num_rows() && is_soft(end - 1) && is_soft(end)) {
    ++end;
  }
  return end;
}

std::vector<SoftRows> PromptRows::SoftIn(int64_t begin, int64_t end) const {
  std::vector<SoftRows> runs;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t idx = soft_idx[static_cast<size_t>(row)];
    if (idx < 0) {
      continue;
    }
    if (!runs.empty() && runs.back().first_row + runs.back().rows.rows == row - begin) {
      ++runs.back().rows.rows;
    } else {
      runs.push_back({row - begin, soft.Rows(idx, 1)});
    }
  }
  return runs;
}

StepRunner::StepRunner(const TextDecoder& decoder, int threads, int64_t max_segment_rows)
    : decoder_(decoder),
      threads_(threads),
      pool_(decoder.config(), max_segment_rows, int64_t{1} << 26),
      activations_(decoder.config(),
                   {.max_rows = 300, .max_segments = 4, .max_output_rows = 300, .max_positions = 400}) {}

ForwardOutput StepRunner::Step(std::span<const Segment> segments, ForwardObserver* observer,
                               const std::function<void(bool runs)>& around) {
  ForwardOutput output;
  tbb::task_arena arena(threads_);
  arena.execute([&] {
    around(true);
    output = decoder_.Forward(segments, activations_, observer);
    around(false);
  });
  return output;
}

std::vector<float> StepRunner::Prefill(KvCache& cache, const PromptRows& prompt, int64_t begin, int64_t end,
                                       int64_t num_output_rows) {
  const std::vector<SoftRows> soft = prompt.SoftIn(begin, end);
  const Segment segment{
      .cache = &cache,
      .ids = std::span(prompt.ids).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)),
      .soft_rows = soft,
      .num_output_rows = num_output_rows};
  return Values(Step({&segment, 1}).logits);
}

std::vector<float> StepRunner::Decode(KvCache& cache, int32_t id) {
  const Segment segment{.cache = &cache, .ids = {&id, 1}, .soft_rows = {}, .num_output_rows = 1};
  return Values(Step({&segment, 1}).logits);
}

std::vector<float> LogitsInChunks(const TextDecoder& decoder, const PromptRows& prompt,
                                  const std::vector<int64_t>& chunk_rows, int threads) {
  const bool whole_runs = decoder.config().bidirectional == BidirectionalAttention::kMediaRuns;
  std::vector<int64_t> ends;
  int64_t longest = 0;
  for (int64_t begin = 0; begin < prompt.num_rows(); begin = ends.back()) {
    ends.push_back(prompt.ChunkEnd(begin, chunk_rows[ends.size() % chunk_rows.size()], whole_runs));
    longest = std::max(longest, ends.back() - begin);
  }
  StepRunner runner(decoder, threads, longest);
  const std::unique_ptr<KvCache> cache = runner.NewSequence();
  std::vector<float> logits;
  int64_t begin = 0;
  for (const int64_t end : ends) {
    const std::vector<float> rows = runner.Prefill(*cache, prompt, begin, end, end - begin);
    logits.insert(logits.end(), rows.begin(), rows.end());
    begin = end;
  }
  return logits;
}

std::vector<float> Values(ConstMatrixView matrix) {
  std::vector<float> values;
  values.reserve(static_cast<size_t>(matrix.rows * matrix.cols));
  for (int64_t row = 0; row < matrix.rows; ++row) {
    values.insert(values.end(), matrix.row(row), matrix.row(row) + matrix.cols);
  }
  return values;
}

int32_t Argmax(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace percept
