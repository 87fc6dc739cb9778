// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "encoders/vision/tower.h"
#include "encoders/vision/vision_batch.h"
#include "engine/tower_batch.h"

namespace percept {

// Of pictures; their rows are patches.
class PictureBatch final : public TowerBatch {
 public:
  PictureBatch(const VisionTower& tower, int64_t max_patches, TraceSink* trace);

 private:
  int64_t num_layers() const override { return tower_.num_layers(); }
  void ReserveRows(int64_t num_patches) override { batch_.Reserve(num_patches); }
  void Embed(std::span<Medium* const> pictures) override;
  void RunLayer(int64_t layer) override { batch_.RunLayer(layer); }
  void Project(std::span<const MatrixView> soft_tokens) override { batch_.Finish(soft_tokens); }

  const VisionTower& tower_;
  VisionBatch batch_;
  std::vector<const ImagePatches*> patches_;  // an argument, kept for its memory
};

}  // namespace percept
