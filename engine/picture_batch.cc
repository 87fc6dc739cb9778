// SPDX-License-Identifier: Apache-2.0
#include "engine/picture_batch.h"

#include <algorithm>
#include <variant>

namespace percept {
namespace {

constexpr TowerWords kWords = {
    .tower = "vision tower", .submit = "submit picture", .layer = "tower layer", .done = "picture done"};
constexpr int64_t kFirstPatches = 630;  // a picture of the smallest budget

}  // namespace

PictureBatch::PictureBatch(const VisionTower& tower, int64_t max_patches, TraceSink* trace)
    : TowerBatch(kWords, max_patches, trace), tower_(tower), batch_(tower, std::min(max_patches, kFirstPatches)) {
  patches_.reserve(kMaxMedia);
}

void PictureBatch::Embed(std::span<Medium* const> pictures) {
  patches_.clear();
  for (const Medium* picture : pictures) {
    patches_.push_back(&std::get<ImagePatches>(picture->content));
  }
  batch_.Begin(patches_);
  for (Medium* picture : pictures) {
    std::get<ImagePatches>(picture->content).values = Matrix();
  }
}

}  // namespace percept
