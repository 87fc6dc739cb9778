// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "kernels/core/error.h"

namespace percept {
namespace {

// The finalizer of SplitMix64: every bit of the result depends on every bit of the value.
uint64_t Mix(uint64_t value) {
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
  value = (value ^ value >> 27) * 0x94D049BB133111EB;
  return value ^ value >> 31;
}

// In [0, 1). A function of seed and draw alone, so that no other sequence moves it.
double Uniform(uint64_t seed, uint64_t draw) {
  constexpr uint64_t kOddNearGoldenRatio = 0x9E3779B97F4A7C15;
  const uint64_t bits = Mix(Mix(seed + kOddNearGoldenRatio) + (draw + 1) * kOddNearGoldenRatio);
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace

void RequireUsable(const Sampling& sampling) {
  if (!(sampling.temperature >= 0 && std::isfinite(sampling.temperature))) {
    throw ArgumentError("temperature is " + std::to_string(sampling.temperature) + ": expected 0 or more");
  }
  if (sampling.top_k < 0) {
    throw ArgumentError("top_k is " + std::to_string(sampling.top_k) + ": expected 0 (all) or more");
  }
  if (!(sampling.top_p > 0 && sampling.top_p <= 1)) {
    throw ArgumentError("top_p is " + std::to_string(sampling.top_p) + ": expected more than 0, at most 1");
  }
}

Sampler::Sampler(int vocab_size, std::span<const int32_t> suppress_ids)
    : greedy_(vocab_size, suppress_ids), suppressed_(static_cast<size_t>(vocab_size)) {
  for (const int32_t id : suppress_ids) {
    if (id >= 0 && id < vocab_size) suppressed_[static_cast<size_t>(id)] = true;
  }
  candidates_.reserve(static_cast<size_t>(vocab_size));
}

bool Sampler::Likelier(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

void Sampler::Collect(std::span<const float> logits) {
  candidates_.clear();
  for (size_t id = 0; id < logits.size(); ++id) {
    if (suppressed_[id] || std::isnan(logits[id])) continue;
    candidates_.push_back({logits[id], static_cast<int32_t>(id), 0});
  }
}

// Sorts no more than needed: a few hundred candidates nearly always hold all of top_p.
double Sampler::CutToLikeliest(double top_p, double total) {
  for (size_t num_sorted = 256;; num_sorted *= 8) {
    num_sorted = std::min(num_sorted, candidates_.size());
    std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(num_sorted),
                      candidates_.end(), Likelier);
    double kept = 0;
    for (size_t i = 0; i < num_sorted; ++i) {
      kept += candidates_[i].weight;
      if (kept < top_p * total && i + 1 < candidates_.size()) continue;
      candidates_.resize(i + 1);
      return kept;
    }
  }
}

// What is not allowed is no number, which is never picked.
std::span<const float> Sampler::Masked(std::span<const float> logits, const std::vector<bool>& allowed) {
  masked_.assign(logits.begin(), logits.end());
  for (size_t id = 0; id < masked_.size(); ++id) {
    if (id >= allowed.size() || !allowed[id]) masked_[id] = std::numeric_limits<float>::quiet_NaN();
  }
  return masked_;
}

int32_t Sampler::Pick(std::span<const float> logits, const Sampling& sampling, uint64_t draw,
                      const std::vector<bool>* allowed) {
  if (allowed != nullptr) logits = Masked(logits, *allowed);
  // It also says what is wrong with logits that cannot be drawn from.
  const int32_t likeliest = greedy_.Pick(logits);
  const float largest = logits[static_cast<size_t>(likeliest)];
  if (sampling.temperature == 0 || !std::isfinite(largest)) return likeliest;
  Collect(logits);
  const auto top_k = static_cast<size_t>(sampling.top_k);
  if (top_k > 0 && top_k < candidates_.size()) {
    const auto cut = candidates_.begin() + static_cast<std::ptrdiff_t>(top_k);
    std::nth_element(candidates_.begin(), cut - 1, candidates_.end(), Likelier);
    candidates_.resize(top_k);
    // The order in which weights are added is part of what a seed promises.
    std::sort(candidates_.begin(), candidates_.end(), Likelier);
  }
  double total = 0;
  for (Candidate& candidate : candidates_) {
    candidate.weight = std::exp((double{candidate.logit} - largest) / sampling.temperature);
    total += candidate.weight;
  }
  if (sampling.top_p < 1) total = CutToLikeliest(sampling.top_p, total);
  double left = Uniform(sampling.seed, draw) * total;
  for (const Candidate& candidate : candidates_) {
    left -= candidate.weight;
    if (left < 0) return candidate.id;
  }
  return likeliest;  // rounding used up the last weight
}

PickedLogprobs LogprobsOf(std::span<const float> logits, int32_t picked, int num_top) {
  double largest = -std::numeric_limits<double>::infinity();
  for (const float logit : logits) largest = std::max(largest, std::isnan(logit) ? largest : double{logit});
  double sum = 0;
  for (const float logit : logits) sum += std::isnan(logit) ? 0 : std::exp(logit - largest);
  const double log_sum = largest + std::log(sum);
  const auto of = [&](int32_t id) {
    const float logit = logits[static_cast<size_t>(id)];
    const double value = std::isnan(logit) ? -std::numeric_limits<double>::infinity() : logit - log_sum;
    return TokenLogprob{id, static_cast<float>(value)};
  };
  const auto likelier = [](const TokenLogprob& a, const TokenLogprob& b) {
    return a.logprob != b.logprob ? a.logprob > b.logprob : a.id < b.id;
  };
  PickedLogprobs result{of(picked), {}};
  std::vector<TokenLogprob>& top = result.top;
  const auto most = std::min(static_cast<size_t>(num_top), logits.size());
  for (size_t id = 0; id < logits.size() && most > 0; ++id) {
    const TokenLogprob candidate = of(static_cast<int32_t>(id));
    if (top.size() == most && !likelier(candidate, top.back())) continue;
    if (top.size() == most) top.pop_back();
    top.insert(std::upper_bound(top.begin(), top.end(), candidate, likelier), candidate);
  }
  return result;
}

}  // namespace percept
