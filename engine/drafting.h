// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "decoder/model/drafter.h"
#include "decoder/state/draft_activations.h"
#include "engine/draft_length.h"
#include "engine/sequence.h"
#include "kernels/core/tensor.h"
#include "kernels/core/trace.h"

namespace percept {

// A drafter at work beside the sequences of a batch: it guesses the tokens that the next step looks at, and learns from
// what became of them how many pay. One thread at a time. Allocates nothing after the constructor. In each step:
// BeginStep, BesidePrompt or Add for what takes part, Draft; behind the target's pass Judge for each sequence that was
// given tokens, EndStep. A step that throws may leave out the rest.
class Drafting {
 public:
  struct Limits {
    int64_t max_sequences = 0;
    int64_t max_tokens = 0;     // of one sequence in a step
    int64_t max_rows = 0;       // of all sequences together
    int64_t max_positions = 0;  // of one sequence
    bool adaptive = true;       // else as many as the limits allow
  };

  Drafting(const Drafter& drafter, const Limits& limits);

  void BeginStep();
  // The step reads a prompt too, so that its time says nothing about drafts.
  void BesidePrompt() { beside_prompt_ = true; }
  // A sequence that decodes. Its draft is last_token alone until Draft.
  void Add(Sequence& sequence);
  // Adds the tokens guessed to the drafts of the sequences. None is a stop token, and none could come after the last
  // token that a sequence may have.
  void Draft(TraceSink* trace);

  // num_used rows of the num_rows that a sequence had logits for gave it tokens; those tokens were picked from `hidden`
  // up to its row last_row. [output rows, hidden]
  void Judge(Sequence& sequence, int64_t num_rows, int64_t num_used, ConstMatrixView hidden, int64_t last_row);
  void EndStep();

 private:
  using Clock = std::chrono::steady_clock;

  int64_t NumTokens();
  void DraftOneMore(int64_t num_tokens);

  const Drafter& drafter_;
  const Limits limits_;
  DraftActivations activations_;
  DraftLength length_;

  // Of the step.
  Clock::time_point began_at_;
  bool beside_prompt_ = false;
  std::vector<Sequence*> sequences_;
  std::vector<DraftRow> rows_;       // of those that still draft
  std::vector<Sequence*> drafting_;  // the same
  int64_t num_tokens_ = 0;           // asked for, of each
  int64_t num_asked_ = 0;            // of all, as far as their answers may go on
};

}  // namespace percept
