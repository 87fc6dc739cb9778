// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "encoders/vision/config.h"
#include "encoders/vision/patches.h"
#include "encoders/vision/tower.h"
#include "encoders/vision/vision_batch.h"
#include "kernels/weights/claim_list.h"
#include "kernels/weights/safetensors.h"
#include "tests/encoders/png.h"
#include "tests/support/golden_file.h"
#include "tests/support/shared_dir.h"

namespace percept {

// A reference checkpoint with the tower bound for one context, and what the reference computed with it.
struct TowerVariant {
  TowerVariant(const std::string& name, const KernelContext& context)
      : folder(SharedDir() / "goldens/variants" / name),
        golden(folder / "golden.safetensors"),
        source(OpenSafetensors(folder)),
        tower(Bind(context)) {}

  VisionTower Bind(const KernelContext& context) const {
    const std::optional<VisionConfig> config = ReadVisionConfig(folder / "config.json");
    ClaimList claims(*source);
    VisionTower bound =
        VisionTower::Bind(config.value(), golden.ShapeOf("image70/f32/vision.soft")[1], claims, context);
    claims.Ignore([](std::string_view tensor) { return tensor.find("vision") == std::string_view::npos; });
    claims.RequireAllClaimed();
    return bound;
  }

  std::filesystem::path folder;
  GoldenFile golden;
  std::unique_ptr<SafetensorsSource> source;
  VisionTower tower;
};

// The two pictures of a case, resized by the reference.
inline std::vector<ImagePatches> ReferencePictures(int budget) {
  std::vector<ImagePatches> pictures;
  for (const char* name : {"a", "b"}) {
    const std::string file = std::string("resized_") + name + "_" + std::to_string(budget) + ".png";
    const TestImage image = ReadPng(SharedDir() / "goldens/variants/inputs" / file);
    pictures.push_back(CutPatches(image.view(), PixelValues::kTimesReciprocal));
  }
  return pictures;
}

inline std::vector<const ImagePatches*> PointersTo(const std::vector<ImagePatches>& pictures) {
  std::vector<const ImagePatches*> pointers;
  pointers.reserve(pictures.size());
  for (const ImagePatches& picture : pictures) {
    pointers.push_back(&picture);
  }
  return pointers;
}

inline int64_t NumPatches(const std::vector<const ImagePatches*>& pictures) {
  int64_t sum = 0;
  for (const ImagePatches* picture : pictures) {
    sum += picture->grid.num_patches();
  }
  return sum;
}

// Memory for the soft tokens of each picture.
inline std::vector<Matrix> SoftTokenMatrices(const VisionTower& tower,
                                             const std::vector<const ImagePatches*>& pictures) {
  std::vector<Matrix> matrices;
  matrices.reserve(pictures.size());
  for (const ImagePatches* picture : pictures) {
    matrices.emplace_back(picture->grid.num_soft_tokens(), tower.decoder_hidden());
  }
  return matrices;
}

inline void FinishInto(VisionBatch& batch, const std::vector<Matrix>& matrices) {
  std::vector<MatrixView> views;
  views.reserve(matrices.size());
  for (const Matrix& matrix : matrices) {
    views.push_back(matrix.view());
  }
  batch.Finish(views);
}

// All layers over one packed batch.
inline std::vector<Matrix> Encode(const VisionTower& tower, const std::vector<const ImagePatches*>& pictures) {
  VisionBatch batch(tower, NumPatches(pictures));
  batch.Begin(pictures);
  for (int64_t layer = 0; layer < tower.num_layers(); ++layer) {
    batch.RunLayer(layer);
  }
  std::vector<Matrix> soft_tokens = SoftTokenMatrices(tower, pictures);
  FinishInto(batch, soft_tokens);
  return soft_tokens;
}

// Rows of several matrices one after the other.
inline Matrix Stacked(const std::vector<Matrix>& parts) {
  int64_t rows = 0;
  for (const Matrix& part : parts) {
    rows += part.rows();
  }
  Matrix all(rows, parts.front().cols());
  int64_t next = 0;
  for (const Matrix& part : parts) {
    for (int64_t r = 0; r < part.rows(); ++r) {
      std::copy_n(part.view().row(r), part.cols(), all.view().row(next++));
    }
  }
  return all;
}

}  // namespace percept
