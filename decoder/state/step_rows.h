// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "decoder/config/text_config.h"
#include "decoder/state/segment.h"
#include "kernels/core/tensor.h"
#include "kernels/ops/attention.h"

namespace percept {

// The most that one step may bring.
struct StepLimits {
  int64_t max_rows = 256;        // of all segments together
  int64_t max_segments = 16;     // sequences in one step
  int64_t max_output_rows = 16;  // rows whose logits are asked for, all segments together
  int64_t max_positions = 8192;  // of one sequence

  bool operator==(const StepLimits&) const = default;
};

// The rows of one sequence within a step.
struct SegmentRows {
  KvCache* cache = nullptr;
  int64_t first_row = 0;
  int64_t num_rows = 0;
  int64_t num_output_rows = 0;  // the last of them
  int64_t first_position = 0;   // of first_row
};

// Which rows take part in a step, segment after segment: their positions, rotation angles and the keys they see. All
// memory is taken by the constructor.
class StepRows {
 public:
  StepRows(const TextConfig& config, const StepLimits& limits);

  // Takes the rows of the segments. Throws ArgumentError when they do not fit the limits or a cache's room, when two of
  // them share a cache, or when soft rows do not lie on placeholders.
  void Plan(std::span<const Segment> segments);
  // One row behind what each cache holds, at least one position, which sees those positions and not itself: a drafter's
  // (spec text-decoder 6.1). Nothing will be stored for it. Throws ArgumentError when they do not fit the limits.
  void PlanBehind(std::span<KvCache* const> caches);
  // Drops all rows but each segment's output rows.
  void KeepOutputRows();
  // For every row that KeepOutputRows will keep, in order: its row index now. [num_output_rows]
  std::span<const int64_t> output_rows() const { return output_rows_; }

  int64_t num_rows() const { return num_rows_; }
  std::span<const SegmentRows> segments() const { return segments_; }
  std::span<const ops::KeyRange> key_ranges(AttentionKind kind) const;  // [rows]
  ConstMatrixView cos(int rope_idx) const;                              // [rows, head_dim / 2]
  ConstMatrixView sin(int rope_idx) const;

 private:
  void CheckSegment(const Segment& segment, std::span<const Segment> before) const;
  void CheckSoftRows(const Segment& segment) const;
  void Clear();
  void FindRuns(const Segment& segment, const SegmentRows& rows);
  void PlaceRows();
  ops::KeyRange KeysOf(AttentionKind kind, size_t row) const;

  TextConfig config_;
  StepLimits limits_;
  std::vector<std::vector<float>> frequencies_;  // [ropes][head_dim / 2]
  int64_t num_rows_ = 0;
  bool rows_see_themselves_ = true;
  std::vector<SegmentRows> segments_;
  std::vector<int64_t> output_rows_;
  std::vector<int64_t> positions_;                        // [rows]
  std::vector<ops::KeyRange> runs_;                       // [rows] positions of the row's media run, empty in none
  std::array<std::vector<ops::KeyRange>, 2> key_ranges_;  // [AttentionKind][rows]
  std::vector<Matrix> cos_, sin_;                         // [ropes]
};

}  // namespace percept
