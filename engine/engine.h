// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "encoders/vision/patches.h"
#include "engine/request.h"
#include "engine/step_executor.h"
#include "kernels/core/trace.h"

namespace percept {

class TextDecoder;
struct TextConfig;
class VisionTower;

// The parts of a checkpoint that an engine runs. All of them outlive it.
struct EngineParts {
  const TextDecoder* decoder = nullptr;  // required
  const VisionTower* vision = nullptr;   // absent: pictures are refused
  std::vector<int32_t> stop_ids;         // that end every answer
  std::vector<int32_t> suppress_ids;     // that are never picked
};

struct EngineOptions {
  StepExecutor* executor = nullptr;           // outlives the engine; required
  TraceSink* trace = nullptr;                 // outlives the engine
  int64_t context_tokens = 0;                 // prompt and answer together; 0: what the checkpoint allows, at most 8192
  int64_t prefill_chunk_rows = 256;           // prompt rows of one step, over all sequences
  int64_t max_sequences = 16;                 // decoded side by side; more wait
  int64_t max_tower_patches = 10080;          // of the pictures that go through the tower side by side; one always may
  int64_t kv_limit_bytes = int64_t{1} << 30;  // of all keys and values together
};

// What an engine takes beside the weights and the tower's scratch: known from the configuration, before a weight is
// read.
struct EngineMemory {
  int64_t context_tokens = 0;
  int64_t step_bytes = 0;      // scratch of a decoder step, sized once
  int64_t sequence_bytes = 0;  // keys and values of one sequence that fills the context
  int64_t kv_limit_bytes = 0;  // of all sequences together
};

// Throws ArgumentError on an option out of range.
EngineMemory MemoryOf(const TextConfig& config, const EngineOptions& options);

// The step machine of a loaded model, shared by every node and graph that uses it. One task is one step: either one
// tower layer over a packed batch of pictures, or one decoder step over the live sequences (prompt chunks and single
// rows together); where both are pending they alternate. Sequences join and leave between steps. Work waits by
// priority, then in the order of submission, for a free place and for room in the limits; how much waits is bounded by
// the callers, who hold a credit for each request.
//
// Any thread may submit and cancel. A step that throws fails the requests it was working on and no others.
// Trace events (subject: the request, one zone for each request of a step; value): "submit picture" (patches), "tower
// layer" zone (layer), "picture done" (rows), "submit sequence" (prompt rows), "prefill" and "decode" zones (rows),
// "finish sequence" (tokens).
class Engine {
 public:
  // Throws ArgumentError on an option out of range.
  Engine(const EngineParts& parts, const EngineOptions& options);
  // Cancels what is left, with its terminal calls, and returns when no step is enqueued or running. Not to be called
  // from a listener, nor by the only thread that could run the enqueued step.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Throws ArgumentError where the checkpoint has no vision tower or the patches are not as PreprocessImage makes them,
  // InputError on a picture beyond the tower's position table.
  RequestId SubmitPicture(ImagePatches picture, std::shared_ptr<PictureListener> listener);

  // Throws InputError where the prompt leaves no room for a token in the context or can never fit the limit of keys and
  // values; ArgumentError where media, spans and placeholders do not match or an id is outside the vocabulary.
  RequestId SubmitSequence(SequenceRequest request, std::shared_ptr<SequenceListener> listener);

  // Takes effect before the next step, the terminal call included. A request that has ended, or is just ending, is left
  // as it is.
  void Cancel(RequestId id);

  int64_t context_tokens() const;

 private:
  class Machine;
  std::unique_ptr<Machine> machine_;
};

}  // namespace percept
