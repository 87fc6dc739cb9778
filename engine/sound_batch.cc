// SPDX-License-Identifier: Apache-2.0
#include "engine/sound_batch.h"

#include <algorithm>
#include <variant>

#include "encoders/audio/log_mel.h"

namespace percept {
namespace {

constexpr TowerWords kWords = {
    .tower = "audio tower", .submit = "submit sound", .layer = "sound layer", .done = "sound done"};
constexpr int64_t kFramesPerToken = 4;

}  // namespace

SoundBatch::SoundBatch(const AudioTower& tower, int64_t max_tokens, TraceSink* trace)
    : TowerBatch(kWords, max_tokens, trace), tower_(tower), max_tokens_(max_tokens) {
  clips_.reserve(kMaxMedia);
}

void SoundBatch::ReserveRows(int64_t num_tokens) {
  const int64_t tokens = std::max(num_tokens, max_tokens_);
  if (log_mel_.rows() < kFramesPerToken * tokens) {
    log_mel_ = Matrix(kFramesPerToken * tokens, kMelBins);
  }
  if (batch_) {
    batch_->Reserve(tokens);
  } else {
    batch_.emplace(tower_, tokens);
  }
}

void SoundBatch::Embed(std::span<Medium* const> clips) {
  clips_.clear();
  int64_t num_frames = 0;
  for (Medium* clip : clips) {
    auto& samples = std::get<SoundSamples>(clip->content);
    const MatrixView frames = log_mel_.Rows(num_frames, LogMel::NumFrames(static_cast<int64_t>(samples.size())));
    tower_.LogMelOf(samples, frames);
    samples = SoundSamples();
    num_frames += frames.rows;
    clips_.push_back(frames);
  }
  batch_->Begin(clips_);
}

FrameBatch::FrameBatch(const FrameProjection& frames, int64_t max_tokens, TraceSink* trace)
    : TowerBatch(kWords, max_tokens, trace), frames_(frames) {}

void FrameBatch::ReserveRows(int64_t /*num_tokens*/) {
  if (!scratch_) {
    scratch_.emplace(frames_.ScratchBytes());
  }
}

void FrameBatch::Embed(std::span<Medium* const> clips) {
  for (Medium* clip : clips) {
    auto& samples = std::get<SoundSamples>(clip->content);
    frames_.Project(samples, clip->tokens->rows.view(), *scratch_);
    samples = SoundSamples();
  }
}

}  // namespace percept
