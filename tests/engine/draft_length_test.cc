// SPDX-License-Identifier: Apache-2.0
// How many tokens are drafted, by times that the test makes up.
#include "engine/draft_length.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>

namespace percept {
namespace {

using std::chrono::nanoseconds;

// A machine on which a step without drafts takes 1000, and a drafter that is right with a chance.
class Machine {
 public:
  explicit Machine(double chance, int64_t per_token_ns) : chance_(chance), per_token_ns_(per_token_ns) {}

  // Means of the tokens drafted and of the time a token of the answer takes.
  struct Means {
    double drafted = 0;
    double ns_per_token = 0;
  };
  Means Run(int num_steps, int64_t num_sequences = 1) {
    int64_t drafted = 0;
    int64_t tokens = 0;
    int64_t time_ns = 0;
    for (int i = 0; i < num_steps; ++i) {
      const int64_t num_tokens = length_.Choose(num_sequences);
      int64_t num_accepted = 0;
      std::bernoulli_distribution is_right(chance_);
      while (num_accepted < num_tokens && is_right(random_)) ++num_accepted;
      length_.Judged(num_accepted, num_accepted < num_tokens);
      const int64_t took_ns = 1000 + num_tokens * per_token_ns_;
      length_.Took(num_sequences, num_tokens, nanoseconds(took_ns));
      drafted += num_tokens;
      tokens += num_accepted + 1;
      time_ns += took_ns;
    }
    return {static_cast<double>(drafted) / num_steps, static_cast<double>(time_ns) / static_cast<double>(tokens)};
  }
  void Become(double chance) { chance_ = chance; }
  DraftLength& length() { return length_; }

 private:
  std::mt19937 random_{3};
  double chance_;
  int64_t per_token_ns_;
  DraftLength length_{6, 4};
};

TEST(DraftLengthTest, AGoodDrafterThatCostsLittleDraftsFar) {
  const Machine::Means means = Machine(0.95, 100).Run(1000);
  EXPECT_GT(means.drafted, 5);
  EXPECT_LT(means.ns_per_token, 350);
}

TEST(DraftLengthTest, AFairOneDraftsAFewTokens) {
  const Machine::Means means = Machine(0.6, 200).Run(2000);
  EXPECT_GT(means.drafted, 0.8);
  EXPECT_LT(means.drafted, 3.5);
  EXPECT_LT(means.ns_per_token, 900);
}

TEST(DraftLengthTest, OneThatIsNeverRightIsOffButForTrials) {
  Machine machine(0, 300);
  machine.Run(200);
  const Machine::Means means = machine.Run(4000);
  EXPECT_GT(means.drafted, 0);
  EXPECT_LT(means.drafted, 0.05);
  EXPECT_LT(means.ns_per_token, 1020);
}

TEST(DraftLengthTest, OneThatCostsMoreThanItGivesIsOff) {
  Machine machine(0.9, 2000);
  machine.Run(200);
  EXPECT_LT(machine.Run(4000).ns_per_token, 1100);
}

TEST(DraftLengthTest, ItIsOnAgainOnceItIsRight) {
  Machine machine(0, 100);
  machine.Run(2000);
  machine.Become(0.95);
  machine.Run(1500);
  EXPECT_GT(machine.Run(500).drafted, 4);
  machine.Become(0);
  machine.Run(300);
  EXPECT_LT(machine.Run(1000).drafted, 0.2);
}

// What one number of sequences costs says nothing about another.
TEST(DraftLengthTest, EachNumberOfSequencesIsMeasured) {
  Machine machine(0.95, 100);
  machine.Run(100);
  EXPECT_GT(machine.length().Choose(1), 0);
  EXPECT_EQ(machine.length().Choose(3), 0);
  EXPECT_GT(machine.Run(100, 3).drafted, 4);
}

TEST(DraftLengthTest, AStepThatTookVeryLongChangesLittle) {
  Machine machine(0.95, 100);
  machine.Run(100);
  machine.length().Took(1, 6, nanoseconds(1000000));
  EXPECT_GT(machine.length().Choose(1), 0);
}

TEST(DraftLengthTest, NeverMoreThanTheMost) {
  DraftLength length(1, 1);
  for (int i = 0; i < 100; ++i) {
    const int64_t num_tokens = length.Choose(1);
    ASSERT_LE(num_tokens, 1);
    length.Judged(num_tokens, false);
    length.Took(1, num_tokens, nanoseconds(1000));
  }
}

}  // namespace
}  // namespace percept
