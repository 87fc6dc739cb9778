// SPDX-License-Identifier: Apache-2.0
#include "engine/tower_batch.h"

#include <algorithm>
#include <utility>

#include "engine/batch_zone.h"
#include "engine/failure_text.h"

namespace percept {
namespace {

constexpr size_t kMaxPictures = 64;
constexpr int64_t kFirstPatches = 630;  // a picture of the smallest budget

}  // namespace

TowerBatch::TowerBatch(const VisionTower& tower, int64_t max_patches, TraceSink* trace)
    : tower_(tower), max_patches_(max_patches), trace_(trace), batch_(tower, std::min(max_patches, kFirstPatches)) {
  places_.reserve(kMaxPictures);
  ended_.reserve(kMaxPictures);
  patches_.reserve(kMaxPictures);
  soft_tokens_.reserve(kMaxPictures);
}

bool TowerBatch::HasRoomFor(const Picture& picture) const {
  return places_.empty() || (next_layer_ == 0 && places_.size() < kMaxPictures &&
                             num_patches_ + picture.patches.grid.num_patches() <= max_patches_);
}

void TowerBatch::Join(std::unique_ptr<Picture> picture) {
  PERCEPT_CHECK(HasRoomFor(*picture));
  num_patches_ += picture->patches.grid.num_patches();
  std::shared_ptr<SoftTokens> tokens = picture->tokens;
  places_.push_back({std::move(picture), std::move(tokens)});
}

void TowerBatch::Cancel() {
  for (Place& place : places_) {
    if (place.picture != nullptr && place.picture->cancelled) {
      num_patches_ -= next_layer_ == 0 ? place.picture->patches.grid.num_patches() : 0;
      End(place, FinishReason::kCancelled);
    }
  }
  const auto gone = [](const Place& place) { return place.picture == nullptr; };
  if (next_layer_ == 0) {
    std::erase_if(places_, gone);
  } else if (std::all_of(places_.begin(), places_.end(), gone)) {
    Clear();
  }
}

void TowerBatch::Step() {
  try {
    RunLayer();
    if (++next_layer_ >= tower_.num_layers()) {
      Finish();
    }
  } catch (...) {
    const std::string failure = CurrentFailureText();
    for (Place& place : places_) {
      End(place, FinishReason::kFailed, failure);
    }
    Clear();
  }
}

void TowerBatch::RunLayer() {
  const BatchZone zone(*this);
  if (next_layer_ == 0) {
    Begin();
  }
  if (next_layer_ < tower_.num_layers()) {
    batch_.RunLayer(next_layer_);
  }
}

void TowerBatch::Begin() {
  patches_.clear();
  for (const Place& place : places_) {
    patches_.push_back(&place.picture->patches);
  }
  batch_.Reserve(num_patches_);
  batch_.Begin(patches_);
  for (Place& place : places_) {
    place.picture->patches.values = Matrix();
  }
}

void TowerBatch::Finish() {
  soft_tokens_.clear();
  for (const Place& place : places_) {
    soft_tokens_.push_back(place.tokens->rows.view());
  }
  batch_.Finish(soft_tokens_);
  for (Place& place : places_) {
    if (place.picture != nullptr) {
      place.picture->complete = true;
      ended_.push_back(std::move(place.picture));
    }
  }
  Clear();
}

void TowerBatch::TracePhase(TraceEvent::Phase phase) const {
  if (trace_ == nullptr) {
    return;
  }
  for (const Place& place : places_) {
    if (place.picture != nullptr) {
      trace_->Record({phase, "tower layer", place.picture->id, next_layer_});
    }
  }
}

void TowerBatch::End(Place& place, FinishReason finish, const std::string& failure) {
  if (place.picture != nullptr) {
    place.picture->finish = finish;
    place.picture->failure = failure;
    ended_.push_back(std::move(place.picture));
  }
}

void TowerBatch::Clear() {
  places_.clear();
  num_patches_ = 0;
  next_layer_ = 0;
}

std::unique_ptr<Picture> TowerBatch::TakeEnded() {
  if (ended_.empty()) {
    return nullptr;
  }
  std::unique_ptr<Picture> ended = std::move(ended_.front());
  ended_.erase(ended_.begin());
  return ended;
}

}  // namespace percept
