// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "decoder/model/text_decoder.h"
#include "decoder/state/activations.h"
#include "decoder/state/kv_cache.h"
#include "decoder/text/sampling.h"
#include "engine/drafting.h"
#include "engine/prefix_cache.h"
#include "engine/sequence.h"
#include "kernels/core/trace.h"

namespace percept {

// The live sequences: they join and leave between steps, and each step takes all of them one step further. One thread
// at a time. After the constructor only Reserve allocates, and what a request asks for: log-probabilities
// and a constraint.
class SequenceBatch {
 public:
  struct Limits {
    int64_t max_sequences = 0;
    int64_t prefill_chunk_rows = 0;
    int64_t context_tokens = 0;
    int64_t kv_limit_bytes = 0;
    int64_t prefix_limit_bytes = 0;
    int64_t max_draft_tokens = 0;  // of one sequence in a step; 0: no drafter

    // Of the sequences of a step together. Drafts pay where few sequences share a step.
    int64_t max_draft_rows() const { return max_draft_tokens == 0 ? 0 : std::max(max_draft_tokens, 2 * max_sequences); }
    int64_t max_segment_rows() const { return std::max(prefill_chunk_rows, max_draft_tokens + 1); }
  };

  // Of the activations, sized once.
  static int64_t ScratchBytes(const TextConfig& config, const Limits& limits);

  SequenceBatch(const TextDecoder& decoder, std::span<const int32_t> suppress_ids, const Limits& limits,
                TraceSink* trace);

  // From now on. The limits have max_draft_tokens.
  void DraftWith(const Drafter& drafter, bool adaptive);

  bool empty() const { return live_.empty(); }
  bool full() const { return static_cast<int64_t>(live_.size()) == limits_.max_sequences; }

  // Gives `sequence` room for its keys and values, with those of the longest beginning of its prompt that is kept;
  // false when it is full or there is not enough room now, or when a longer beginning is just being computed. Kept
  // beginnings give way to it. Makes the scratch of a step larger for a run that has to be whole and is longer than any
  // before, and for the first prompt whose log-probabilities are asked for. Throws std::bad_alloc.
  bool Reserve(Sequence& sequence);
  // Not when full. The sequence has its cache.
  void Join(std::unique_ptr<Sequence> sequence);

  // Ends the sequences that are cancelled or whose deadline has passed.
  void Leave(Urgency::Clock::time_point now);

  // One decoder step: single rows of all sequences that decode, and up to prefill_chunk_rows prompt rows of those that
  // do not, by priority; a run that has to be whole and is longer than that comes alone. New tokens go to the
  // listeners, several of a sequence where a drafter guessed them. A step that throws ends the sequences it was working
  // on.
  void Step();

  // A sequence that has ended, to be finished by the caller; null where there is none.
  std::unique_ptr<Sequence> TakeEnded();

  int64_t KvBytesOf(const Sequence& sequence) const;  // of its keys and values
  EngineCounts counts() const;

  // Begins or ends the zone of each request that takes part in the step.
  void TracePhase(TraceEvent::Phase phase) const;

 private:
  static int64_t PositionsOf(const Sequence& sequence);
  void MakeScratch(const Sequence& sequence);
  std::unique_ptr<KvCache> MakeRoom(const Sequence& sequence, std::shared_ptr<const Prefix>* start);
  void Compose();
  void Forward();
  void Draft();
  void AcceptStep(const ForwardOutput& output);
  void Score(Sequence& sequence, const ForwardOutput& output, int64_t first_row, int64_t num_rows);
  int64_t AcceptRows(Sequence& sequence, const ForwardOutput& output, int64_t first_row, int64_t num_rows);
  void Accept(Sequence& sequence, std::span<const float> logits);
  static void Deliver(Sequence& sequence, int32_t token, std::span<const float> logits);
  void EndAtMost(Sequence& sequence);
  void End(Sequence& sequence, FinishReason finish, std::string failure = {});
  void MoveEnded();

  struct Work {
    Sequence* sequence;
    int64_t num_rows;
    bool prefill;
  };

  const TextDecoder& decoder_;
  Sampler sampler_;
  const Limits limits_;
  TraceSink* const trace_;
  Activations activations_;
  KvPool pool_;  // outlives the sequences and prefixes
  PrefixCache prefixes_;
  EngineCounts counts_;                          // what adds up
  std::vector<std::unique_ptr<Sequence>> live_;  // by priority, then by age
  std::vector<std::unique_ptr<Sequence>> ended_;
  std::vector<Work> work_;              // of this step
  std::vector<Segment> segments_;       // the same, for the decoder
  std::unique_ptr<Drafting> drafting_;  // null without a drafter
};

}  // namespace percept
