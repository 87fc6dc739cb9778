// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "decoder/text/sampler.h"

namespace percept {

// How the tokens of one answer are drawn: probabilities at the temperature, cut to the top_k likeliest, then to the
// likeliest that together have top_p of what is left (spec: prompt-and-files, section 7).
struct Sampling {
  double temperature = 0;  // 0: the largest logit, and nothing else below matters
  int64_t top_k = 0;       // 0: all
  double top_p = 1;        // (0, 1]
  uint64_t seed = 0;       // the same seed and the same logits give the same answer, whatever else runs

  bool operator==(const Sampling&) const = default;
};

// Throws ArgumentError that names the value out of range.
void RequireUsable(const Sampling& sampling);

// The natural logarithm of a token's probability as the model gives it: without temperature, cuts or suppression.
struct TokenLogprob {
  int32_t id = 0;
  float logprob = 0;

  bool operator==(const TokenLogprob&) const = default;
};

struct PickedLogprobs {
  TokenLogprob picked;
  std::vector<TokenLogprob> top;  // the likeliest, best first; equal ones by id

  bool operator==(const PickedLogprobs&) const = default;
};

// Picks tokens, greedily or by chance. One thread at a time: the scratch is shared.
class Sampler {
 public:
  // As GreedySampler.
  Sampler(int vocab_size, std::span<const int32_t> suppress_ids);

  // logits: [vocab_size]. `draw` counts the tokens of the answer from 0. allowed: by id, what may be picked, where it
  // is not null; ids beyond it may not. Errors as GreedySampler::Pick, also where nothing is allowed.
  int32_t Pick(std::span<const float> logits, const Sampling& sampling, uint64_t draw,
               const std::vector<bool>* allowed = nullptr);

 private:
  struct Candidate {
    float logit;
    int32_t id;
    double weight;  // e^((logit - largest) / temperature)
  };
  static bool Likelier(const Candidate& a, const Candidate& b);
  std::span<const float> Masked(std::span<const float> logits, const std::vector<bool>& allowed);
  void Collect(std::span<const float> logits);
  double CutToLikeliest(double top_p, double total);

  const GreedySampler greedy_;
  std::vector<bool> suppressed_;       // [vocab_size]
  std::vector<Candidate> candidates_;  // [vocab_size] at most
  std::vector<float> masked_;          // [vocab_size] once it was needed
};

// Of the token that was picked and of the num_top likeliest. logits: [vocab_size], what is no number counts as
// impossible.
PickedLogprobs LogprobsOf(std::span<const float> logits, int32_t picked, int num_top);

}  // namespace percept
