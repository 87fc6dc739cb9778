// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "decoder/config/text_config.h"
#include "decoder/model/text_decoder.h"
#include "kernels/weights/safetensors.h"
#include "tests/support/golden_file.h"

namespace percept {

// A checkpoint folder and the decoder made from it.
struct OpenDecoder {
  OpenDecoder(const std::filesystem::path& folder, const KernelContext& context,
              EmbeddingScale scale = EmbeddingScale::kUnrounded, MediaRunMask mask = MediaRunMask::kSlidingLayers);

  TextConfig config;
  std::unique_ptr<SafetensorsSource> source;
  std::unique_ptr<TextDecoder> decoder;
};

// The rows that a prompt brings: ids and the soft tokens of its placeholders.
struct PromptRows {
  PromptRows() = default;
  // Case `name` of a golden file.
  PromptRows(const GoldenFile& golden, const std::string& name, int64_t hidden_size);

  int64_t num_rows() const { return static_cast<int64_t>(ids.size()); }
  // The end of the chunk that begins at `begin` and has about `rows` rows: the first place after them outside of every
  // run of placeholders where runs are whole, else exactly so many.
  int64_t ChunkEnd(int64_t begin, int64_t rows, bool whole_runs) const;
  // The soft tokens of rows [begin, end), one entry per run of placeholders.
  std::vector<SoftRows> SoftIn(int64_t begin, int64_t end) const;

  std::vector<int32_t> ids;
  std::vector<int64_t> soft_idx;  // per row: row of `soft`, or -1
  Matrix soft;                    // [soft tokens, hidden]
};

// Sequences at work: a decoder's caches and scratch, on a number of threads.
class StepRunner {
 public:
  StepRunner(const TextDecoder& decoder, int threads, int64_t max_segment_rows = 300);

  std::unique_ptr<KvCache> NewSequence(int64_t max_positions = 400) { return pool_.Reserve(max_positions); }
  // around(true) is called on the step's thread before the pass, around(false) after it.
  ForwardOutput Step(
      std::span<const Segment> segments, ForwardObserver* observer = nullptr,
      const std::function<void(bool runs)>& around = [](bool) {});
  // Rows [begin, end) of the prompt; returns a copy of the logits of the last num_output_rows of them.
  std::vector<float> Prefill(KvCache& cache, const PromptRows& prompt, int64_t begin, int64_t end,
                             int64_t num_output_rows);
  std::vector<float> Decode(KvCache& cache, int32_t id);

  KvPool& pool() { return pool_; }
  Activations& activations() { return activations_; }

 private:
  const TextDecoder& decoder_;
  int threads_;
  KvPool pool_;
  Activations activations_;
};

// The logits of all rows, [rows, vocab], when the prompt comes in chunks of these sizes, again and again; a media run
// that has to be whole makes its chunk longer.
std::vector<float> LogitsInChunks(const TextDecoder& decoder, const PromptRows& prompt,
                                  const std::vector<int64_t>& chunk_rows, int threads);

// Copies the values of a matrix, row after row.
std::vector<float> Values(ConstMatrixView matrix);

int32_t Argmax(std::span<const float> logits);

}  // namespace percept
