// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "encoders/vision/tower.h"
#include "encoders/vision/vision_batch.h"
#include "engine/picture.h"
#include "kernels/core/trace.h"

namespace percept {

// The pictures that go through the tower side by side, packed; they all leave together. One thread at a time.
class TowerBatch {
 public:
  TowerBatch(const VisionTower& tower, int64_t max_patches, TraceSink* trace);

  bool empty() const { return places_.empty(); }
  // Before the first layer, as long as the patches fit the limit; one picture always does.
  bool HasRoomFor(const Picture& picture) const;
  void Join(std::unique_ptr<Picture> picture);

  // Ends the pictures whose cancel flag is set. Their rows go on with the batch while it has other pictures.
  void Cancel();

  // One layer of the tower; before the first the patches are embedded, after the last the rows are pooled and projected
  // and the pictures end; all in one step where the tower has no layers. A step that throws ends all pictures.
  // Allocates nothing but scratch for a larger batch than any before.
  void Step();

  // A picture that has ended, to be finished by the caller; null where there is none.
  std::unique_ptr<Picture> TakeEnded();

  // Begins or ends the zone of each request that takes part in the step.
  void TracePhase(TraceEvent::Phase phase) const;

 private:
  struct Place {
    std::unique_ptr<Picture> picture;    // null once it has ended; its rows stay
    std::shared_ptr<SoftTokens> tokens;  // where its soft tokens go
  };

  void RunLayer();
  void Begin();
  void Finish();
  void End(Place& place, FinishReason finish, const std::string& failure = {});
  void Clear();

  const VisionTower& tower_;
  const int64_t max_patches_;
  TraceSink* const trace_;
  VisionBatch batch_;
  std::vector<Place> places_;  // in the order of their rows
  std::vector<std::unique_ptr<Picture>> ended_;
  int64_t num_patches_ = 0;
  int64_t next_layer_ = 0;
  // Arguments of the batch's calls, kept for their memory.
  std::vector<const ImagePatches*> patches_;
  std::vector<MatrixView> soft_tokens_;
};

}  // namespace percept
