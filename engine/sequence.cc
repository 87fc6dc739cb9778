// SPDX-License-Identifier: Apache-2.0
#include "engine/sequence.h"

#include <algorithm>
#include <utility>

namespace percept {

Sequence::Sequence(SequenceRequest the_request, const TextConfig& config,
                   std::shared_ptr<SequenceListener> the_listener)
    : urgency(the_request.urgency),
      request(std::move(the_request)),
      listener(std::move(the_listener)),
      loop_guard(request.max_repeats) {
  soft_rows_.reserve(request.prompt.spans.size());
  stats.num_prompt_rows = num_prompt_rows();
  if (request.prompt_logprobs) {
    FindScored(request.prompt_logprobs->first_row);
  }
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

// All but the last row, and those in front of soft tokens.
void Sequence::FindScored(int64_t first_row) {
  is_scored_.assign(request.prompt.ids.size(), false);
  std::fill(is_scored_.begin() + std::min(first_row, num_prompt_rows()) - 1, is_scored_.end() - 1, true);
  for (const SoftSpan& span : request.prompt.spans) {
    std::fill(is_scored_.begin() + std::max(0, span.first_row - 1),
              is_scored_.begin() + span.first_row + span.num_rows - 1, false);
  }
}

int64_t Sequence::longest_run() const {
  int64_t longest = 0;
  for (const Run& run : runs_) {
    longest = std::max(longest, run.end - run.begin);
  }
  return longest;
}

bool Sequence::CutsRun(int64_t row) const {
  return std::any_of(runs_.begin(), runs_.end(), [&](const Run& run) { return run.begin < row && row < run.end; });
}

bool Sequence::MayStartBehind(const Prefix& prefix) const {
  const int64_t most =
      std::min(num_prompt_rows(), request.prompt_logprobs ? request.prompt_logprobs->first_row : num_prompt_rows());
  return prefix.num_rows() < most && !CutsRun(prefix.num_rows()) && prefix.Begins(request);
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

// Output rows are the last of a segment: it ends where one follows that is none. A run is never cut so, as none but its
// last row can be one.
int64_t Sequence::ScoredEnd(int64_t begin, int64_t end, int64_t max_output_rows, int64_t* num_output_rows) const {
  const auto is_output = [&](int64_t row) { return IsScored(row) || row + 1 == num_prompt_rows(); };
  int64_t first = begin;
  while (first < end && !is_output(first)) {
    ++first;
  }
  const int64_t most = std::min(end, first + max_output_rows);
  int64_t last = first;
  while (last < most && is_output(last)) {
    ++last;
  }
  *num_output_rows = last - first;
  return last;
}

Segment Sequence::NextSegment(int64_t max_rows, bool alone, int64_t max_output_rows) {
  if (!prefilling()) {
    return {.cache = cache.get(), .ids = {&last_token, 1}, .soft_rows = {}, .num_output_rows = 1};
  }
  const int64_t begin = num_rows_done;
  int64_t num_output_rows = 0;
  const int64_t end = ScoredEnd(begin, ChunkEnd(begin, max_rows, alone), max_output_rows, &num_output_rows);
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
          .num_output_rows = num_output_rows};
}

std::string Sequence::ExpiryText() const {
  if (prefilling()) {
    return "the deadline passed with " + std::to_string(num_rows_done) + " of " + std::to_string(num_prompt_rows()) +
           " tokens of the prompt read";
  }
  return "the deadline passed after " + std::to_string(stats.num_output_tokens) + " tokens of the answer";
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
