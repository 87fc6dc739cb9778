// SPDX-License-Identifier: Apache-2.0
#include "engine/draft_length.h"

#include <algorithm>

namespace percept {
namespace {

constexpr int64_t kFewestMeasured = 2;  // of a cost, before it is believed
constexpr int64_t kTrialTokens = 2;     // drafted in a trial
constexpr int64_t kTrialSteps = 8;      // of a trial
constexpr int64_t kShortestWait = 128;  // steps between two trials
constexpr int64_t kLongestWait = 1024;
constexpr int64_t kStepsToPlain = 32;   // with drafts, before a step without them is measured again
constexpr double kSmallestGain = 1.03;  // in tokens per time: less is noise
constexpr double kFirstChance = 0.7;    // of a token that was never judged
constexpr double kChanceWeight = 1.0 / 8;
constexpr double kCostWeight = 1.0 / 4;

// The first measurements hold what the machine does only once: the least of them counts.
void Blend(double measured, int64_t num_before, double* value) {
  if (num_before == 0) {
    *value = measured;
  } else if (num_before < kFewestMeasured) {
    *value = std::min(*value, measured);
  } else {
    *value += (measured - *value) * kCostWeight;
  }
}

}  // namespace

DraftLength::DraftLength(int64_t max_tokens, int64_t max_sequences)
    : max_tokens_(max_tokens),
      costs_(static_cast<size_t>(max_sequences) + 1),
      chances_(static_cast<size_t>(max_tokens), -1.0),
      steps_until_trial_(kShortestWait),
      wait_(kShortestWait) {}

int64_t DraftLength::Choose(int64_t num_sequences) {
  const Cost& cost = costs_[static_cast<size_t>(num_sequences)];
  if (cost.num_plain < kFewestMeasured) {
    return 0;
  }
  if (cost.num_drafts < kFewestMeasured) {
    return std::min(kTrialTokens, max_tokens_);
  }
  const int64_t best = Best(cost);
  if (best == 0) {
    return Trial();
  }
  trial_steps_left_ = 0;
  wait_ = steps_until_trial_ = kShortestWait;
  steps_since_plain_ = (steps_since_plain_ + 1) % kStepsToPlain;
  return steps_since_plain_ == 0 ? 0 : best;
}

int64_t DraftLength::Trial() {
  if (trial_steps_left_ == 0 && --steps_until_trial_ == 0) {
    trial_steps_left_ = kTrialSteps;
    wait_ = std::min(2 * wait_, kLongestWait);
    steps_until_trial_ = wait_;
  }
  if (trial_steps_left_ == 0) {
    return 0;
  }
  --trial_steps_left_;
  return std::min(kTrialTokens, max_tokens_);
}

// Expected tokens of a step: its own, and each drafted one where all before it are right.
int64_t DraftLength::Best(const Cost& cost) const {
  int64_t best = 0;
  double best_rate = kSmallestGain / cost.plain_ns;
  double tokens = 1;
  double all_right = 1;
  double chance = kFirstChance;
  for (int64_t num_tokens = 1; num_tokens <= max_tokens_; ++num_tokens) {
    const double known = chances_[static_cast<size_t>(num_tokens - 1)];
    chance = known < 0 ? chance : known;
    all_right *= chance;
    tokens += all_right;
    const double rate = tokens / (cost.plain_ns + static_cast<double>(num_tokens) * cost.per_token_ns);
    if (rate > best_rate) {
      best_rate = rate;
      best = num_tokens;
    }
  }
  return best;
}

void DraftLength::Judged(int64_t num_accepted, bool next_was_wrong) {
  const int64_t num_judged = num_accepted + (next_was_wrong ? 1 : 0);
  for (int64_t i = 0; i < num_judged; ++i) {
    double& chance = chances_[static_cast<size_t>(i)];
    const double before = chance < 0 ? kFirstChance : chance;
    chance = before + ((i < num_accepted ? 1.0 : 0.0) - before) * kChanceWeight;
  }
}

void DraftLength::Took(int64_t num_sequences, int64_t num_tokens, std::chrono::nanoseconds duration) {
  Cost& cost = costs_[static_cast<size_t>(num_sequences)];
  auto took = static_cast<double>(std::max<int64_t>(1, duration.count()));
  const auto num_drafted = static_cast<double>(num_tokens);
  if (cost.num_plain >= kFewestMeasured && cost.num_drafts >= kFewestMeasured) {
    // A step during which the thread was away says nothing about drafts.
    took = std::min(took, 2 * (cost.plain_ns + num_drafted * cost.per_token_ns));
  }
  if (num_tokens == 0) {
    Blend(took, cost.num_plain++, &cost.plain_ns);
  } else if (cost.num_plain > 0) {
    Blend(std::max(0.0, took - cost.plain_ns) / num_drafted, cost.num_drafts++, &cost.per_token_ns);
  }
}

}  // namespace percept
