// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "decoder/model/text_decoder.h"
#include "decoder/state/kv_cache.h"
#include "decoder/text/loop_guard.h"
#include "engine/request.h"

namespace percept {

// A sequence from submission to its terminal call: first waiting, then live in a SequenceBatch. Used by one thread at a
// time, but for `cancelled`.
struct Sequence {
  using Clock = std::chrono::steady_clock;

  Sequence(SequenceRequest the_request, const TextConfig& config, std::shared_ptr<SequenceListener> the_listener);

  // Rows of the next step: at most `max_rows` of the prompt, or the token picked last. A whole run is not cut: the rows
  // end before one that has no room. Where it is the first that comes, it is taken all the same if `alone`, else there
  // are no rows.
  // The segment refers to this sequence until the next call.
  Segment NextSegment(int64_t max_rows, bool alone);
  bool prefilling() const { return num_rows_done < num_prompt_rows(); }
  int64_t num_prompt_rows() const { return static_cast<int64_t>(request.prompt.ids.size()); }
  int64_t longest_run() const;  // 0: none has to be whole

  // The terminal call. A listener's exception ends here: there is nobody to tell.
  void Finish() noexcept;

  RequestId id = 0;
  int priority = 0;
  std::atomic<bool> cancelled{false};
  const SequenceRequest request;
  const std::shared_ptr<SequenceListener> listener;

  int64_t max_tokens = 0;          // as asked for, or as many as the context has room for
  std::vector<int32_t> stop_ids;   // sorted
  LoopGuard loop_guard;            // of the answer
  std::unique_ptr<KvCache> cache;  // once live
  int64_t num_rows_done = 0;       // that the cache holds
  int32_t last_token = 0;          // not yet in the cache
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
  int64_t ChunkEnd(int64_t begin, int64_t max_rows, bool alone) const;

  std::vector<Run> runs_;            // of prompt rows that see each other and so come in one step, ascending
  std::vector<SoftRows> soft_rows_;  // of the segment, sized for all spans
};

}  // namespace percept
