// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/medium.h"
#include "kernels/core/tensor.h"
#include "kernels/core/trace.h"

namespace percept {

// The pictures, or the clips, that go through a tower side by side, packed; they all leave together. One thread at a
// time. What a kind of tower does is in the classes derived from it.
class TowerBatch {
 public:
  TowerBatch(const TowerWords& words, int64_t max_rows, TraceSink* trace);
  virtual ~TowerBatch() = default;
  TowerBatch(const TowerBatch&) = delete;
  TowerBatch& operator=(const TowerBatch&) = delete;

  const TowerWords& words() const { return words_; }
  bool empty() const { return places_.empty(); }
  // Makes scratch for one more: before the first layer, as long as the rows fit the limit; one medium always does.
  // False where there is no room now. Throws std::bad_alloc.
  bool Reserve(const Medium& medium);
  // After Reserve.
  void Join(std::unique_ptr<Medium> medium);

  // Ends the media that are cancelled or whose deadline has passed. Their rows go on with the batch while it has
  // others.
  void Leave(Urgency::Clock::time_point now);

  // One layer of the tower; before the first the media are embedded, after the last they are projected and end; all in
  // one step where the tower has no layers. A step that throws ends all media. Allocates nothing.
  void Step();

  // A medium that has ended, to be finished by the caller; null where there is none.
  std::unique_ptr<Medium> TakeEnded();

  // Begins or ends the zone of each request that takes part in the step.
  void TracePhase(TraceEvent::Phase phase) const;

 protected:
  static constexpr size_t kMaxMedia = 64;  // side by side

 private:
  struct Place {
    std::unique_ptr<Medium> medium;      // null once it has ended; its rows stay
    std::shared_ptr<SoftTokens> tokens;  // where its soft tokens go
  };

  virtual int64_t num_layers() const = 0;
  virtual void ReserveRows(int64_t num_rows) = 0;
  // Reads what the media hold, for the last time, and lets it go. A tower without layers ends here.
  virtual void Embed(std::span<Medium* const> media) = 0;
  virtual void RunLayer(int64_t layer) = 0;
  // Writes the soft tokens of each.
  virtual void Project(std::span<const MatrixView> soft_tokens) = 0;

  void RunStep();
  void Begin();
  void Finish();
  void End(Place& place, FinishReason finish, const std::string& failure = {});
  void Clear();

  const TowerWords words_;
  const int64_t max_rows_;
  TraceSink* const trace_;
  std::vector<Place> places_;  // in the order of their rows
  std::vector<std::unique_ptr<Medium>> ended_;
  int64_t num_rows_ = 0;
  int64_t next_layer_ = 0;
  // Arguments of the tower's calls, kept for their memory.
  std::vector<Medium*> media_;
  std::vector<MatrixView> soft_tokens_;
};

}  // namespace percept
