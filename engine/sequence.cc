// SPDX-License-Identifier: Apache-2.0
#include "engine/sequence.h"

#include <algorithm>
#include <utility>

namespace percept {

Sequence::Sequence(SequenceRequest the_request, const TextConfig& config,
                   std::shared_ptr<SequenceListener> the_listener)
    : priority(the_request.priority),
      request(std::move(the_request)),
      listener(std::move(the_listener)),
      loop_guard(request.max_repeats) {
  soft_rows_.reserve(request.prompt.spans.size());
  stats.num_prompt_rows = num_prompt_rows();
  if (config.bidirectional == BidirectionalAttention::kMediaRuns) {
    FindRuns(config);
  }
}

// Pictures that touch are one run.
void Sequence::FindRuns(const TextConfig& config) {
  for (const SoftSpan& span : request.prompt.spans) {
    for (int64_t row = span.first_row; row < int64_t{span.first_row} + span.num_rows; ++row) {
      if (!config.joins_media_run(request.prompt.ids[static_cast<size_t>(row)])) {
        continue;
      }
      if (runs_.empty() || runs_.back().end != row) {
        runs_.push_back({row, row});
      }
      ++runs_.back().end;
    }
  }
}

int64_t Sequence::longest_run() const {
  int64_t longest = 0;
  for (const Run& run : runs_) {
    longest = std::max(longest, run.end - run.begin);
  }
  return longest;
}

int64_t Sequence::ChunkEnd(int64_t begin, int64_t max_rows, bool alone) const {
  const int64_t end = std::min(num_prompt_rows(), begin + max_rows);
  for (const Run& run : runs_) {
    if (run.begin < end && end < run.end) {
      return run.begin == begin && alone ? run.end : run.begin;
    }
  }
  return end;
}

Segment Sequence::NextSegment(int64_t max_rows, bool alone) {
  if (!prefilling()) {
    return {.cache = cache.get(), .ids = {&last_token, 1}, .soft_rows = {}, .num_output_rows = 1};
  }
  const int64_t begin = num_rows_done;
  const int64_t end = ChunkEnd(begin, max_rows, alone);
  soft_rows_.clear();
  for (size_t i = 0; i < request.prompt.spans.size(); ++i) {
    const SoftSpan& span = request.prompt.spans[i];
    const int64_t first = std::max<int64_t>(begin, span.first_row);
    const int64_t last = std::min<int64_t>(end, span.first_row + span.num_rows);
    if (first < last) {
      soft_rows_.push_back({first - begin, request.media[i]->rows.Rows(first - span.first_row, last - first)});
    }
  }
  return {.cache = cache.get(),
          .ids = std::span(request.prompt.ids).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)),
          .soft_rows = soft_rows_,
          .num_output_rows = end == num_prompt_rows() ? 1 : 0};
}

void Sequence::Finish() noexcept {
  if (stats.first_token.count() > 0) {
    stats.decode = Clock::now() - first_token_at;
  }
  try {
    listener->OnFinish(finish, std::move(failure), stats);
  } catch (...) {  // NOLINT(bugprone-empty-catch)
  }
}

}  // namespace percept
