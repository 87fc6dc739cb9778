// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "encoders/audio/audio_batch.h"
#include "encoders/audio/config.h"
#include "encoders/audio/tower.h"
#include "kernels/weights/claim_list.h"
#include "kernels/weights/safetensors.h"
#include "tests/support/golden_file.h"
#include "tests/support/shared_dir.h"

namespace percept {

// Of the released E2B and E4B.
inline AudioConfig ReleasedTower() {
  return {.form = AudioForm::kTower,
          .projector_width = 1536,
          .width = 1024,
          .num_layers = 12,
          .num_heads = 8,
          .head_dim = 128,
          .mlp_width = 4096,
          .conv_channels = {128, 32},
          .conv_kernel = 5,
          .clipped_linears = true};
}

// A reference checkpoint with its audio tower bound for one context, and what the reference computed with it.
struct SoundVariant {
  SoundVariant(const std::string& name, const KernelContext& context)
      : folder(SharedDir() / "goldens/variants" / name),
        golden(folder / "golden.safetensors"),
        source(OpenSafetensors(folder)),
        tower(Bind(context)) {}

  AudioTower Bind(const KernelContext& context) const {
    const AudioConfig config = ReadAudioConfig(folder / "config.json").value();
    ClaimList claims(*source);
    return AudioTower(config, golden.ShapeOf("audio/f32/clip0.soft")[1], claims, context);
  }

  // The frames of a clip as the reference computed them.
  Matrix Frames(const std::string& clip) const {
    const std::vector<float> values = golden.Floats(clip + ".features");
    Matrix frames(static_cast<int64_t>(values.size()) / kMelBins, kMelBins);
    std::copy(values.begin(), values.end(), frames.view().data);
    return frames;
  }

  std::filesystem::path folder;
  GoldenFile golden;
  std::unique_ptr<SafetensorsSource> source;
  AudioTower tower;
};

}  // namespace percept
