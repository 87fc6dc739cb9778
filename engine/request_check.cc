// SPDX-License-Identifier: Apache-2.0
#include "engine/request_check.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/core/error.h"

namespace percept {
namespace {

using std::to_string;

void RequireIds(const std::vector<int32_t>& ids, int32_t vocab_size) {
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocab_size) {
      throw ArgumentError("token " + to_string(id) + " of the prompt is outside the vocabulary of " +
                          to_string(vocab_size));
    }
  }
}

// Spans lie one after the other inside the prompt, on placeholders.
void RequireSpans(const Prompt& prompt, const ConfigTokenIds& tokens) {
  int64_t next_free = 0;
  for (const SoftSpan& span : prompt.spans) {
    const int64_t end = int64_t{span.first_row} + span.num_rows;
    if (span.first_row < next_free || span.num_rows < 1 || end > static_cast<int64_t>(prompt.ids.size())) {
      throw ArgumentError("soft tokens for the prompt's rows " + to_string(span.first_row) + " to " + to_string(end) +
                          " overlap others or lie outside");
    }
    for (int64_t row = span.first_row; row < end; ++row) {
      const int32_t id = prompt.ids[static_cast<size_t>(row)];
      if (id != tokens.image && id != tokens.video && id != tokens.audio) {
        throw ArgumentError("a soft token for row " + to_string(row) + " of the prompt, whose token " + to_string(id) +
                            " is no placeholder");
      }
    }
    next_free = end;
  }
}

// Inside the prompt, and inside no medium.
void RequireCutRows(const SequenceRequest& request) {
  for (const int64_t row : request.cut_rows) {
    if (row < 1 || row > static_cast<int64_t>(request.prompt.ids.size())) {
      throw ArgumentError("a prompt of " + to_string(request.prompt.ids.size()) + " tokens has no cut at row " +
                          to_string(row));
    }
    for (const SoftSpan& span : request.prompt.spans) {
      if (span.first_row < row && row < int64_t{span.first_row} + span.num_rows) {
        throw ArgumentError("the cut at row " + to_string(row) + " lies inside the medium of rows " +
                            to_string(span.first_row) + " to " + to_string(span.first_row + span.num_rows));
      }
    }
  }
}

void RequireMedia(const SequenceRequest& request, int64_t hidden_size) {
  const std::vector<SoftSpan>& spans = request.prompt.spans;
  if (spans.size() != request.media.size()) {
    throw ArgumentError("the prompt has places for " + to_string(spans.size()) + " media; " +
                        to_string(request.media.size()) + " were given");
  }
  for (size_t i = 0; i < spans.size(); ++i) {
    PERCEPT_CHECK(request.media[i] != nullptr);
    const Matrix& rows = request.media[i]->rows;
    if (rows.rows() != spans[i].num_rows || rows.cols() != hidden_size) {
      throw ArgumentError("medium " + to_string(i + 1) + " has " + to_string(rows.rows()) + " soft tokens of width " +
                          to_string(rows.cols()) + "; its place in the prompt has " + to_string(spans[i].num_rows) +
                          " of width " + to_string(hidden_size));
    }
  }
}

constexpr int kMostLogprobs = 100;

void RequireNumTop(int num_top, const char* name) {
  if (num_top < 0 || num_top > kMostLogprobs) {
    throw ArgumentError(std::string(name) + " is " + to_string(num_top) + ": expected 0 to " +
                        to_string(kMostLogprobs));
  }
}

void RequireOutput(const SequenceRequest& request) {
  RequireUsable(request.sampling);
  RequireNumTop(request.top_logprobs.value_or(0), "top_logprobs");
  if (request.prompt_logprobs) {
    RequireNumTop(request.prompt_logprobs->num_top, "prompt_logprobs.num_top");
    RequirePositive(request.prompt_logprobs->first_row, "prompt_logprobs.first_row");
  }
  if (request.max_repeats < 0 || request.max_repeats == 1) {
    throw ArgumentError("max_repeats is " + to_string(request.max_repeats) + ": expected 0 (no limit) or at least 2");
  }
}

}  // namespace

void RequireAtLeast(int64_t least, int64_t value, const char* name) {
  if (value < least) {
    throw ArgumentError(std::string(name) + " is " + to_string(value) + ": expected at least " + to_string(least));
  }
}

void RequirePositive(int64_t value, const char* name) { RequireAtLeast(1, value, name); }

void RequireUsable(const SequenceRequest& request, const TextConfig& config, int64_t context_tokens) {
  const auto num_rows = static_cast<int64_t>(request.prompt.ids.size());
  RequirePositive(num_rows, "the number of prompt tokens");
  RequirePositive(request.max_tokens, "max_tokens");
  RequireOutput(request);
  if (num_rows + 1 > context_tokens) {
    throw InputError("context full: the prompt has " + to_string(num_rows) + " tokens, the context holds " +
                     to_string(context_tokens) + ", one of them for an answer");
  }
  RequireIds(request.prompt.ids, config.vocab_size);
  RequireSpans(request.prompt, config.token_ids);
  RequireMedia(request, config.hidden_size);
  RequireCutRows(request);
}

void RequireUsable(const ImagePatches& picture, const VisionTower& tower) {
  const int64_t num_patches = picture.grid.num_patches();
  if (num_patches < 1 || picture.grid.columns % kPoolSide_patches != 0 || picture.grid.rows % kPoolSide_patches != 0 ||
      picture.values.rows() != num_patches || picture.values.cols() != kPatchValues ||
      static_cast<int64_t>(picture.positions.size()) != num_patches) {
    throw ArgumentError("a picture whose patches do not fill its grid of " + to_string(picture.grid.columns) + " x " +
                        to_string(picture.grid.rows));
  }
  tower.RequireFits(picture.grid);
}

void RequireUsable(std::span<const float> samples, const AudioTower* tower) {
  if (samples.empty()) {
    throw InputError("a clip without samples");
  }
  const auto is_finite = [](float sample) { return std::isfinite(sample); };
  if (const auto bad = std::find_if_not(samples.begin(), samples.end(), is_finite); bad != samples.end()) {
    throw InputError("sample " + to_string(bad - samples.begin()) + " of a clip is not a finite number");
  }
  if (tower != nullptr) {
    AudioTower::RequireFits(static_cast<int64_t>(samples.size()));
  }
}

}  // namespace percept
