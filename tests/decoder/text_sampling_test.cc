// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "decoder/text/loop_guard.h"
#include "decoder/text/sampling.h"
#include "kernels/core/error.h"
#include "tests/decoder/text_support.h"

namespace percept {
namespace {

using ::testing::ElementsAre;

using Ids = std::vector<int32_t>;
using Logits = std::vector<float>;

// How often each token was drawn in `num_draws` draws.
std::map<int32_t, int> Draws(const Logits& logits, const Sampling& sampling, int num_draws,
                             const Ids& suppressed = {}) {
  Sampler sampler(static_cast<int>(logits.size()), suppressed);
  std::map<int32_t, int> counts;
  for (int draw = 0; draw < num_draws; ++draw) ++counts[sampler.Pick(logits, sampling, static_cast<uint64_t>(draw))];
  return counts;
}

Ids Drawn(const Logits& logits, const Sampling& sampling) {
  std::map<int32_t, int> counts = Draws(logits, sampling, 1000);
  Ids ids;
  for (const auto& [id, count] : counts) ids.push_back(id);
  return ids;
}

TEST(Sampler, IsGreedyAtZero) {
  EXPECT_EQ(Draws({1, 3, 3, 2}, {}, 10), (std::map<int32_t, int>{{1, 10}}));
  EXPECT_EQ(Draws({1, 3, 3, 2}, {}, 10, {1}), (std::map<int32_t, int>{{2, 10}}));
}

TEST(Sampler, DrawsByProbability) {
  const Logits logits = {std::log(0.5F), std::log(0.3F), std::log(0.2F)};
  constexpr int kDraws = 20000;
  const auto share = [&](int32_t id, double temperature) {
    return Draws(logits, {.temperature = temperature, .seed = 3}, kDraws)[id] / double{kDraws};
  };
  // Five standard deviations of a share.
  constexpr double kTolerance = 0.018;
  EXPECT_NEAR(share(0, 1), 0.5, kTolerance);
  EXPECT_NEAR(share(1, 1), 0.3, kTolerance);
  EXPECT_NEAR(share(2, 1), 0.2, kTolerance);
  // Squares of the probabilities at half the temperature.
  EXPECT_NEAR(share(0, 0.5), 0.25 / 0.38, kTolerance);
  EXPECT_NEAR(share(2, 0.5), 0.04 / 0.38, kTolerance);
}

TEST(Sampler, CutsToTheLikeliest) {
  const Logits logits = {std::log(0.1F), std::log(0.4F), std::log(0.2F), std::log(0.3F)};
  EXPECT_THAT(Drawn(logits, {.temperature = 1, .top_k = 2}), ElementsAre(1, 3));
  EXPECT_THAT(Drawn(logits, {.temperature = 1, .top_k = 99}), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(Drawn(logits, {.temperature = 1, .top_p = 0.39}), ElementsAre(1));
  EXPECT_THAT(Drawn(logits, {.temperature = 1, .top_p = 0.41}), ElementsAre(1, 3));
  EXPECT_THAT(Drawn(logits, {.temperature = 1, .top_p = 0.69}), ElementsAre(1, 3));
  // 0.4 of the 0.7 that top_k leaves is 0.57.
  EXPECT_THAT(Drawn(logits, {.temperature = 1, .top_k = 2, .top_p = 0.56}), ElementsAre(1));
  EXPECT_THAT(Drawn(logits, {.temperature = 1, .top_k = 2, .top_p = 0.58}), ElementsAre(1, 3));
  // The temperature comes before both.
  EXPECT_THAT(Drawn(logits, {.temperature = 0.1, .top_p = 0.9}), ElementsAre(1));
}

TEST(Sampler, CutsAmongManyAlike) {
  const Logits logits(5000, 1.0F);
  EXPECT_THAT(Drawn(logits, {.temperature = 1, .top_p = 0.0003}), ElementsAre(0, 1));
  const Ids most = Drawn(logits, {.temperature = 1, .top_p = 0.5});
  EXPECT_LT(most.back(), 2500);
  EXPECT_GT(most.back(), 2300);
}

TEST(Sampler, NeverDrawsSuppressedIdsNorWhatIsNoNumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto counts = Draws({2, 1, nan, 1}, {.temperature = 5}, 1000, {0});
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_TRUE(counts.contains(1) && counts.contains(3));
}

TEST(Sampler, ASeedAloneDecides) {
  const Logits logits(100, 0.0F);
  const auto answer = [&](uint64_t seed) {
    Sampler sampler(100, {});
    Ids ids;
    for (uint64_t draw = 0; draw < 50; ++draw) {
      ids.push_back(sampler.Pick(logits, {.temperature = 1, .seed = seed}, draw));
      sampler.Pick(logits, {.temperature = 2, .seed = 77}, 5);  // of another answer
    }
    return ids;
  };
  EXPECT_EQ(answer(1), answer(1));
  EXPECT_NE(answer(1), answer(2));
  // Seeds and draws that differ by one must not give each other's tokens, shifted.
  const Ids first = answer(1);
  const Ids second = answer(2);
  EXPECT_NE(Ids(first.begin() + 1, first.end()), Ids(second.begin(), second.end() - 1));
}

TEST(Sampling, NamesTheValueOutOfRange) {
  const auto refusal = [](const Sampling& sampling) {
    return MessageOf<ArgumentError>([&] { RequireUsable(sampling); });
  };
  EXPECT_EQ(refusal({.temperature = -1}), "temperature is -1.000000: expected 0 or more");
  EXPECT_EQ(refusal({.temperature = std::nan("")}), "temperature is nan: expected 0 or more");
  EXPECT_EQ(refusal({.top_k = -1}), "top_k is -1: expected 0 (all) or more");
  EXPECT_EQ(refusal({.top_p = 0}), "top_p is 0.000000: expected more than 0, at most 1");
  EXPECT_EQ(refusal({.top_p = 1.5}), "top_p is 1.500000: expected more than 0, at most 1");
  RequireUsable({.temperature = 1, .top_k = 64, .top_p = 0.95});
}

TEST(Logprobs, AreThoseOfTheSoftmax) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Logits logits = {std::log(1.0F), std::log(5.0F), nan, std::log(2.0F), std::log(2.0F)};
  const PickedLogprobs logprobs = LogprobsOf(logits, 3, 3);
  EXPECT_EQ(logprobs.picked.id, 3);
  EXPECT_NEAR(logprobs.picked.logprob, std::log(0.2), 1e-6);
  ASSERT_EQ(logprobs.top.size(), 3u);
  EXPECT_EQ(logprobs.top[0].id, 1);
  EXPECT_NEAR(logprobs.top[0].logprob, std::log(0.5), 1e-6);
  EXPECT_EQ(logprobs.top[1].id, 3);
  EXPECT_EQ(logprobs.top[2].id, 4);
  EXPECT_TRUE(LogprobsOf(logits, 0, 0).top.empty());
  EXPECT_EQ(LogprobsOf(logits, 0, 99).top.size(), 5u);
}

// After how many of the ids the guard speaks; 0: never.
int NoticedAfter(const Ids& ids, int64_t max_repeats) {
  LoopGuard guard(max_repeats);
  for (size_t i = 0; i < ids.size(); ++i) {
    if (guard.Push(ids[i])) return static_cast<int>(i) + 1;
  }
  return 0;
}

Ids Repeated(const Ids& block, int times) {
  Ids ids;
  for (int i = 0; i < times; ++i) ids.insert(ids.end(), block.begin(), block.end());
  return ids;
}

TEST(LoopGuard, NoticesTheLastRepeat) {
  EXPECT_EQ(NoticedAfter({7, 7, 7, 7}, 4), 4);
  EXPECT_EQ(NoticedAfter({7, 7, 7, 8, 7, 7, 7}, 4), 0);
  Ids started = {1, 2, 3};
  const Ids loop = Repeated({4, 5, 6, 5}, 3);
  started.insert(started.end(), loop.begin(), loop.end());
  EXPECT_EQ(NoticedAfter(started, 3), 15);
  Ids block;
  for (int32_t i = 0; i < LoopGuard::kMaxPeriod; ++i) block.push_back(i);
  EXPECT_EQ(NoticedAfter(Repeated(block, 5), 5), 5 * LoopGuard::kMaxPeriod);
  block.push_back(64);
  EXPECT_EQ(NoticedAfter(Repeated(block, 5), 5), 0) << "longer than it looks for";
}

TEST(LoopGuard, CountsTokensFromTheFirst) {
  EXPECT_EQ(NoticedAfter({0, 0}, 3), 0) << "what was never written does not match";
  EXPECT_EQ(NoticedAfter(Repeated({1}, 1000), 0), 0);
}

}  // namespace
}  // namespace percept
