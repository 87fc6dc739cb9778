// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "tests/engine/engine_fixture.h"

namespace percept {

// Keeps the log-probabilities of the prompt's tokens too, which come in order and before the answer.
struct ScoredResult : SequenceResult {
  void OnPromptLogprobs(int64_t row, const PickedLogprobs& logprobs) override {
    EXPECT_TRUE(ids.empty());
    EXPECT_TRUE(of_prompt.empty() || of_prompt.rbegin()->first < row);
    of_prompt[row] = logprobs;
  }
  void OnLogprobs(std::span<const PickedLogprobs> logprobs) override {
    of_answer.insert(of_answer.end(), logprobs.begin(), logprobs.end());
  }

  std::map<int64_t, PickedLogprobs> of_prompt;  // by row
  std::vector<PickedLogprobs> of_answer;
};

}  // namespace percept
