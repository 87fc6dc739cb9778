// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "tests/engine/scored_result.h"
#include "tests/support/golden_file.h"

namespace percept {

std::filesystem::path VariantDir(const std::string& variant);

std::vector<int32_t> PromptIds(const GoldenFile& golden, const std::string& name);

// One span for each run of placeholders.
std::vector<SoftSpan> SpansOf(const std::vector<int32_t>& ids, int32_t placeholder);

// A case of a variant as a caller would ask it: text, image70, image140, audio or video. Pictures, frames and clips go
// through the model's own encoders.
SequenceRequest GoldenRequest(OpenModel& open, const std::string& variant, const std::string& name, int64_t max_tokens);

// The largest |a - b| between the log-probabilities told and those of a row of logits.
double LogprobDifference(const PickedLogprobs& told, std::span<const float> logits);

}  // namespace percept
