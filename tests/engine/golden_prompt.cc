// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/golden_prompt.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "tests/encoders/png.h"
#include "tests/support/shared_dir.h"
#include "tests/support/wav.h"

namespace percept {
namespace {

std::filesystem::path InputsDir() { return VariantDir("inputs"); }

// Resized by the reference.
std::shared_ptr<const SoftTokens> Picture(OpenModel& open, const std::string& name) {
  return open.Encode(CutPatches(ReadPng(InputsDir() / (name + ".png")).view(), PixelValues::kTimesReciprocal))->tokens;
}

std::shared_ptr<const SoftTokens> Frame(OpenModel& open, const std::string& name) {
  return open
      .Encode(PreprocessImage(ReadPng(InputsDir() / (name + ".png")).view(), 70,
                              {ResampleWeights::kTorchvision, PixelValues::kDivided}, TestContext(Mode::kExact)))
      ->tokens;
}

}  // namespace

std::filesystem::path VariantDir(const std::string& variant) { return SharedDir() / "goldens" / "variants" / variant; }

std::vector<int32_t> PromptIds(const GoldenFile& golden, const std::string& name) {
  const std::vector<int64_t> ids = golden.Integers(name + "/input_ids");
  return {ids.begin(), ids.end()};
}

std::vector<SoftSpan> SpansOf(const std::vector<int32_t>& ids, int32_t placeholder) {
  std::vector<SoftSpan> spans;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] != placeholder) {
      continue;
    }
    if (i == 0 || ids[i - 1] != placeholder) {
      spans.push_back({.first_row = static_cast<int>(i), .media_idx = static_cast<int>(spans.size())});
    }
    ++spans.back().num_rows;
  }
  return spans;
}

SequenceRequest GoldenRequest(OpenModel& open, const std::string& variant, const std::string& name,
                              int64_t max_tokens) {
  const GoldenFile golden(VariantDir(variant) / "golden.safetensors");
  SequenceRequest request = TextRequest(PromptIds(golden, name), max_tokens);
  const ConfigTokenIds& ids = open.model->text_config().token_ids;
  if (name.starts_with("image")) {
    request.prompt.spans = SpansOf(request.prompt.ids, ids.image.value());
    for (const char* picture : {"a", "b"}) {
      request.media.push_back(Picture(open, std::string("resized_") + picture + "_" + name.substr(5)));
    }
  } else if (name == "video") {
    request.prompt.spans = SpansOf(request.prompt.ids, ids.video.value());
    for (const char* frame : {"frame_0", "frame_1", "frame_2"}) {
      request.media.push_back(Frame(open, frame));
    }
  } else if (name == "audio") {
    request.prompt.spans = SpansOf(request.prompt.ids, ids.audio.value());
    for (const char* clip : {"clip_a.wav", "clip_b.wav"}) {
      request.media.push_back(open.Hear(ReadWav(InputsDir() / clip))->tokens);
    }
  }
  return request;
}

double LogprobDifference(const PickedLogprobs& told, std::span<const float> logits) {
  double sum = 0;
  for (const float logit : logits) {
    sum += std::exp(double{logit});  // of at most 30: no overflow
  }
  const auto difference = [&](const TokenLogprob& token) {
    const double value = std::abs(token.logprob - (logits[static_cast<size_t>(token.id)] - std::log(sum)));
    return std::isnan(value) ? std::numeric_limits<double>::infinity() : value;
  };
  double largest = difference(told.picked);
  for (const TokenLogprob& token : told.top) {
    largest = std::max(largest, difference(token));
  }
  return largest;
}

}  // namespace percept
