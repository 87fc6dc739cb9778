// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "decoder/model/text_decoder.h"
#include "decoder/state/kv_cache.h"
#include "decoder/text/loop_guard.h"
#include "engine/prefix.h"
#include "engine/request.h"

namespace percept {

// A sequence from submission to its terminal call: first waiting, then live in a SequenceBatch. Used by one thread at a
// time, but for `cancelled`.
struct Sequence {
  using Clock = std::chrono::steady_clock;

  Sequence(SequenceRequest the_request, const TextConfig& config, std::shared_ptr<SequenceListener> the_listener);

  // Rows of the next step: at most `max_rows` of the prompt, or the token picked last. A whole run is not cut: the rows
  // end before one that has no room. Where it is the first that comes, it is taken all the same if `alone`, else there
  // are no rows. Of rows whose logits are wanted there are at most max_output_rows, at least 1.
  // The segment refers to this sequence until the next call.
  Segment NextSegment(int64_t max_rows, bool alone, int64_t max_output_rows);
  bool prefilling() const { return num_rows_done < num_prompt_rows(); }
  int64_t num_prompt_rows() const { return static_cast<int64_t>(request.prompt.ids.size()); }
  // Tokens of the answer that may still come.
  int64_t num_tokens_left() const { return max_tokens - stats.num_output_tokens; }
  bool IsStop(int32_t id) const { return std::binary_search(stop_ids.begin(), stop_ids.end(), id); }
  // The logits of this row tell the log-probability of the next token, which was asked for.
  bool IsScored(int64_t row) const { return !is_scored_.empty() && is_scored_[static_cast<size_t>(row)]; }
  int64_t longest_run() const;  // 0: none has to be whole
  // A run has rows on both sides of the boundary in front of `row`.
  bool CutsRun(int64_t row) const;
  // The prompt begins with these rows, and those whose logits are needed come behind: the last, and what is scored.
  bool MayStartBehind(const Prefix& prefix) const;

  // How far it was when its deadline passed.
  std::string ExpiryText() const;

  // The terminal call. A listener's exception ends here: there is nobody to tell.
  void Finish() noexcept;

  RequestId id = 0;
  const Urgency urgency;
  std::atomic<bool> cancelled{false};
  const SequenceRequest request;
  const std::shared_ptr<SequenceListener> listener;

  int64_t max_tokens = 0;                         // as asked for, or as many as the context has room for
  bool ends_with_context = false;                 // max_tokens are fewer than were asked for
  std::vector<int32_t> stop_ids;                  // sorted
  LoopGuard loop_guard;                           // of the answer
  std::unique_ptr<KvCache> cache;                 // once live
  int64_t num_rows_done = 0;                      // that the cache holds
  int32_t last_token = 0;                         // not yet in the cache
  std::vector<std::shared_ptr<Prefix>> unfilled;  // that others wait for
  std::vector<int32_t> draft;                     // of this step: last_token, then the tokens guessed to follow it
  std::vector<float> hidden;                      // [hidden] that last_token was picked from; empty without a drafter
  Clock::time_point submitted_at = Clock::now(), started_at, first_token_at;

  bool ended = false;  // only the terminal call is left
  FinishReason finish = FinishReason::kCancelled;
  std::string failure;
  SequenceStats stats;

 private:
  struct Run {
    int64_t begin = 0;
    int64_t end = 0;
  };
  void FindRuns(const TextConfig& config);
  void FindScored(int64_t first_row);
  int64_t ChunkEnd(int64_t begin, int64_t max_rows, bool alone) const;

  int64_t ScoredEnd(int64_t begin, int64_t end, int64_t max_output_rows, int64_t* num_output_rows) const;

  std::vector<bool> is_scored_;      // [prompt rows]; empty: none is
  std::vector<Run> runs_;            // of prompt rows that see each other and so come in one step, ascending
  std::vector<SoftRows> soft_rows_;  // of the segment, sized for all spans
};

}  // namespace percept
