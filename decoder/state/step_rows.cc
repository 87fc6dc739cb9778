// SPDX-License-Identifier: Apache-2.0
#include "decoder/state/step_rows.h"

#include <algorithm>
#include <string>

#include "kernels/core/error.h"
#include "kernels/ops/rope.h"

namespace percept {
namespace {

[[noreturn]] void Refuse(const std::string& reason) { throw ArgumentError("decoder step: " + reason); }

void RequireWithin(int64_t count, int64_t limit, const char* what) {
  if (count > limit) {
    Refuse(std::to_string(count) + " " + what + ", room for " + std::to_string(limit));
  }
}

}  // namespace

StepRows::StepRows(const TextConfig& config, const StepLimits& limits) : config_(config), limits_(limits) {
  segments_.reserve(static_cast<size_t>(limits.max_segments));
  output_rows_.reserve(static_cast<size_t>(limits.max_output_rows));
  positions_.resize(static_cast<size_t>(limits.max_rows));
  runs_.resize(static_cast<size_t>(limits.max_rows));
  for (std::vector<ops::KeyRange>& ranges : key_ranges_) {
    ranges.resize(static_cast<size_t>(limits.max_rows));
  }
  for (const RopeSpec& rope : config.ropes) {
    frequencies_.push_back(ops::RopeFrequencies(rope.head_dim, rope.theta, rope.partial_factor));
    cos_.emplace_back(limits.max_rows, rope.head_dim / 2);
    sin_.emplace_back(limits.max_rows, rope.head_dim / 2);
  }
}

void StepRows::CheckSegment(const Segment& segment, std::span<const Segment> before) const {
  if (segment.cache == nullptr) {
    Refuse("a segment without a KV cache");
  }
  if (std::any_of(before.begin(), before.end(), [&](const Segment& b) { return b.cache == segment.cache; })) {
    Refuse("two segments share a KV cache");
  }
  const int64_t rows = static_cast<int64_t>(segment.ids.size());
  if (rows == 0) {
    Refuse("a segment without rows");
  }
  if (segment.num_output_rows < 0 || segment.num_output_rows > rows) {
    Refuse(std::to_string(segment.num_output_rows) + " output rows in a segment of " + std::to_string(rows));
  }
  RequireWithin(rows, segment.cache->layout().max_segment_rows, "rows in a segment");
  RequireWithin(segment.cache->num_positions() + rows, segment.cache->max_positions(), "tokens in a sequence");
  RequireWithin(segment.cache->num_positions() + rows, limits_.max_positions, "tokens in a sequence");
  CheckSoftRows(segment);
}

void StepRows::CheckSoftRows(const Segment& segment) const {
  int64_t next_free = 0;
  for (const SoftRows& soft : segment.soft_rows) {
    const int64_t end = soft.first_row + soft.rows.rows;
    if (soft.first_row < next_free || end > static_cast<int64_t>(segment.ids.size())) {
      Refuse("soft tokens for rows " + std::to_string(soft.first_row) + " to " + std::to_string(end) +
             " of a segment of " + std::to_string(segment.ids.size()) + " overlap others or lie outside");
    }
    if (soft.rows.cols != config_.hidden_size) {
      Refuse("soft tokens of width " + std::to_string(soft.rows.cols) + ", expected " +
             std::to_string(config_.hidden_size));
    }
    for (int64_t row = soft.first_row; row < end; ++row) {
      const int32_t id = segment.ids[static_cast<size_t>(row)];
      if (!config_.is_placeholder(id)) {
        Refuse("a soft token for row " + std::to_string(row) + ", whose id " + std::to_string(id) +
               " is no placeholder");
      }
    }
    next_free = end;
  }
}

void StepRows::Plan(std::span<const Segment> segments) {
  if (segments.empty()) {
    Refuse("no segments");
  }
  RequireWithin(static_cast<int64_t>(segments.size()), limits_.max_segments, "segments");
  int64_t num_rows = 0;
  int64_t num_output_rows = 0;
  for (size_t i = 0; i < segments.size(); ++i) {
    CheckSegment(segments[i], segments.first(i));
    num_rows += static_cast<int64_t>(segments[i].ids.size());
    num_output_rows += segments[i].num_output_rows;
  }
  RequireWithin(num_rows, limits_.max_rows, "rows");
  RequireWithin(num_output_rows, limits_.max_output_rows, "output rows");

  Clear();
  for (const Segment& segment : segments) {
    const int64_t rows = static_cast<int64_t>(segment.ids.size());
    segments_.push_back({segment.cache, num_rows_, rows, segment.num_output_rows, segment.cache->num_positions()});
    num_rows_ += rows;
    FindRuns(segment, segments_.back());
    for (int64_t row = num_rows_ - segment.num_output_rows; row < num_rows_; ++row) {
      output_rows_.push_back(row);
    }
  }
  PlaceRows();
}

void StepRows::PlanBehind(std::span<KvCache* const> caches) {
  const auto num_rows = static_cast<int64_t>(caches.size());
  RequireWithin(num_rows, limits_.max_segments, "segments");
  RequireWithin(num_rows, limits_.max_rows, "rows");
  for (const KvCache* cache : caches) {
    if (cache->num_positions() == 0) {
      Refuse("nothing to draft from in an empty KV cache");
    }
    RequireWithin(cache->num_positions(), limits_.max_positions, "tokens in a sequence");
  }
  Clear();
  rows_see_themselves_ = false;
  for (KvCache* cache : caches) {
    segments_.push_back({cache, num_rows_, 1, 0, cache->num_positions()});
    runs_[static_cast<size_t>(num_rows_++)] = {};
  }
  PlaceRows();
}

void StepRows::Clear() {
  segments_.clear();
  output_rows_.clear();
  num_rows_ = 0;
  rows_see_themselves_ = true;
}

// Soft rows that follow each other are one run, also where they came in several pieces.
void StepRows::FindRuns(const Segment& segment, const SegmentRows& rows) {
  ops::KeyRange* runs = runs_.data() + rows.first_row;
  std::fill_n(runs, rows.num_rows, ops::KeyRange{});
  if (config_.bidirectional != BidirectionalAttention::kMediaRuns) {
    return;
  }
  ops::KeyRange run;  // as rows of the segment
  const auto close = [&] {
    std::fill(runs + run.begin, runs + run.end,
              ops::KeyRange{rows.first_position + run.begin, rows.first_position + run.end});
  };
  for (const SoftRows& soft : segment.soft_rows) {
    for (int64_t row = soft.first_row; row < soft.first_row + soft.rows.rows; ++row) {
      if (!config_.joins_media_run(segment.ids[static_cast<size_t>(row)])) {
        continue;
      }
      if (row != run.end) {
        close();
        run.begin = row;
      }
      run.end = row + 1;
    }
  }
  close();
}

void StepRows::KeepOutputRows() {
  for (size_t i = 0; i < output_rows_.size(); ++i) {
    runs_[i] = runs_[static_cast<size_t>(output_rows_[i])];  // ascending: no run is overwritten before it moved
  }
  num_rows_ = 0;
  for (SegmentRows& segment : segments_) {
    segment.first_position += segment.num_rows - segment.num_output_rows;
    segment.num_rows = segment.num_output_rows;
    segment.first_row = num_rows_;
    num_rows_ += segment.num_rows;
  }
  for (int64_t row = 0; row < num_rows_; ++row) {
    output_rows_[static_cast<size_t>(row)] = row;
  }
  PlaceRows();
}

void StepRows::PlaceRows() {
  for (const SegmentRows& segment : segments_) {
    for (int64_t i = 0; i < segment.num_rows; ++i) {
      const size_t row = static_cast<size_t>(segment.first_row + i);
      const int64_t position = segment.first_position + i;
      positions_[row] = position;
      for (const AttentionKind kind : {AttentionKind::kSliding, AttentionKind::kFull}) {
        key_ranges_[static_cast<size_t>(kind)][row] = KeysOf(kind, row);
      }
    }
  }
  const std::span<const int64_t> positions(positions_.data(), static_cast<size_t>(num_rows_));
  for (size_t i = 0; i < frequencies_.size(); ++i) {
    ops::RopeAngles(positions, frequencies_[i], cos_[i].Rows(0, num_rows_), sin_[i].Rows(0, num_rows_));
  }
}

// Causal, and q - window < k in sliding layers; within a media run as the configuration says (spec text-decoder 4). The
// keys of a row are always one range.
ops::KeyRange StepRows::KeysOf(AttentionKind kind, size_t row) const {
  const int64_t position = positions_[row];
  const int64_t window = config_.sliding_window;
  const bool is_sliding = kind == AttentionKind::kSliding;
  const ops::KeyRange causal{is_sliding ? std::max<int64_t>(0, position - window + 1) : 0,
                             position + (rows_see_themselves_ ? 1 : 0)};
  const ops::KeyRange& run = runs_[row];
  if (run.begin == run.end) {
    return causal;
  }
  switch (config_.media_run_mask) {
    case MediaRunMask::kSlidingLayers:
      return is_sliding ? ops::KeyRange{causal.begin, run.end} : causal;
    case MediaRunMask::kSlidingTwoSided:
      return is_sliding ? ops::KeyRange{causal.begin, std::min(run.end, position + window)} : causal;
    case MediaRunMask::kAllLayers:
      break;
  }
  return {std::min(causal.begin, run.begin), run.end};
}

std::span<const ops::KeyRange> StepRows::key_ranges(AttentionKind kind) const {
  return {key_ranges_[static_cast<size_t>(kind)].data(), static_cast<size_t>(num_rows_)};
}

ConstMatrixView StepRows::cos(int rope_idx) const { return cos_[static_cast<size_t>(rope_idx)].Rows(0, num_rows_); }

ConstMatrixView StepRows::sin(int rope_idx) const { return sin_[static_cast<size_t>(rope_idx)].Rows(0, num_rows_); }

}  // namespace percept
