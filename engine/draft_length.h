// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace percept {

// How many tokens a drafter should guess ahead: as many as give the most tokens in a time, by what was measured. That
// is, for each token of a draft, how often it was right where those before it were; and for each number of sequences
// that share a step, how long a step takes without drafts and how much longer for each token drafted. Where no draft
// pays there is none, but for a short trial now and then, less and less often. One thread at a time.
class DraftLength {
 public:
  // Both at least 1.
  DraftLength(int64_t max_tokens, int64_t max_sequences);

  // Tokens to draft in the next step for each of num_sequences, 0 to max_tokens. Each call is one step.
  int64_t Choose(int64_t num_sequences);

  // Of a sequence's draft the first num_accepted tokens were right, and the next was wrong if it says so.
  void Judged(int64_t num_accepted, bool next_was_wrong);
  // A step of so many sequences and nothing else, with so many tokens drafted for each.
  void Took(int64_t num_sequences, int64_t num_tokens, std::chrono::nanoseconds duration);

 private:
  struct Cost {
    double plain_ns = 0;      // a step without drafts
    double per_token_ns = 0;  // more for each token drafted
    int64_t num_plain = 0;    // measured
    int64_t num_drafts = 0;
  };

  int64_t Best(const Cost& cost) const;
  int64_t Trial();

  const int64_t max_tokens_;
  std::vector<Cost> costs_;      // by the number of sequences
  std::vector<double> chances_;  // [max_tokens] that a token is right where those before it are; below 0: not known
  int64_t steps_until_trial_;
  int64_t wait_;  // from one trial to the next
  int64_t trial_steps_left_ = 0;
  int64_t steps_since_plain_ = 0;  // while drafts pay
};

}  // namespace percept
