// SPDX-License-Identifier: Apache-2.0
#include "engine/tower_batch.h"

#include <algorithm>
#include <utility>

#include "engine/batch_zone.h"
#include "engine/failure_text.h"
#include "kernels/core/check.h"

namespace percept {

TowerBatch::TowerBatch(const TowerWords& words, int64_t max_rows, TraceSink* trace)
    : words_(words), max_rows_(max_rows), trace_(trace) {
  places_.reserve(kMaxMedia);
  ended_.reserve(kMaxMedia);
  media_.reserve(kMaxMedia);
  soft_tokens_.reserve(kMaxMedia);
}

bool TowerBatch::Reserve(const Medium& medium) {
  const bool has_room =
      places_.empty() || (next_layer_ == 0 && places_.size() < kMaxMedia && num_rows_ + medium.num_rows <= max_rows_);
  if (has_room) {
    ReserveRows(num_rows_ + medium.num_rows);
  }
  return has_room;
}

void TowerBatch::Join(std::unique_ptr<Medium> medium) {
  PERCEPT_CHECK(next_layer_ == 0);
  num_rows_ += medium->num_rows;
  std::shared_ptr<SoftTokens> tokens = medium->tokens;
  places_.push_back({std::move(medium), std::move(tokens)});
}

void TowerBatch::Leave(Urgency::Clock::time_point now) {
  for (Place& place : places_) {
    if (place.medium == nullptr || (!place.medium->cancelled && !place.medium->urgency.IsOver(now))) {
      continue;
    }
    num_rows_ -= next_layer_ == 0 ? place.medium->num_rows : 0;
    if (place.medium->cancelled) {
      End(place, FinishReason::kCancelled);
    } else {
      End(place, FinishReason::kExpired,
          "the deadline passed after " + std::to_string(next_layer_) + " of " + std::to_string(num_layers()) +
              " layers of the " + words_.tower);
    }
  }
  const auto gone = [](const Place& place) { return place.medium == nullptr; };
  if (next_layer_ == 0) {
    std::erase_if(places_, gone);
  } else if (std::all_of(places_.begin(), places_.end(), gone)) {
    Clear();
  }
}

void TowerBatch::Step() {
  try {
    RunStep();
    if (++next_layer_ >= num_layers()) {
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

void TowerBatch::RunStep() {
  const BatchZone zone(*this);
  if (next_layer_ == 0) {
    Begin();
  }
  if (next_layer_ < num_layers()) {
    RunLayer(next_layer_);
  }
}

void TowerBatch::Begin() {
  media_.clear();
  for (const Place& place : places_) {
    media_.push_back(place.medium.get());
  }
  Embed(media_);
}

void TowerBatch::Finish() {
  soft_tokens_.clear();
  for (const Place& place : places_) {
    soft_tokens_.push_back(place.tokens->rows.view());
  }
  Project(soft_tokens_);
  for (Place& place : places_) {
    if (place.medium != nullptr) {
      place.medium->complete = true;
      ended_.push_back(std::move(place.medium));
    }
  }
  Clear();
}

void TowerBatch::TracePhase(TraceEvent::Phase phase) const {
  if (trace_ == nullptr) {
    return;
  }
  for (const Place& place : places_) {
    if (place.medium != nullptr) {
      trace_->Record({phase, words_.layer, place.medium->id, next_layer_});
    }
  }
}

void TowerBatch::End(Place& place, FinishReason finish, const std::string& failure) {
  if (place.medium != nullptr) {
    place.medium->finish = finish;
    place.medium->failure = failure;
    ended_.push_back(std::move(place.medium));
  }
}

void TowerBatch::Clear() {
  places_.clear();
  num_rows_ = 0;
  next_layer_ = 0;
}

std::unique_ptr<Medium> TowerBatch::TakeEnded() {
  if (ended_.empty()) {
    return nullptr;
  }
  std::unique_ptr<Medium> ended = std::move(ended_.front());
  ended_.erase(ended_.begin());
  return ended;
}

}  // namespace percept
