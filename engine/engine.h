// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "encoders/vision/patches.h"
#include "engine/request.h"
#include "engine/step_executor.h"
#include "kernels/core/trace.h"

namespace percept {

class AudioTower;
class Drafter;
class FrameProjection;
class TextDecoder;
struct TextConfig;
class VisionTower;

// The parts of a checkpoint that an engine runs. All of them outlive it.
struct EngineParts {
  const TextDecoder* decoder = nullptr;     // required
  const VisionTower* vision = nullptr;      // absent: pictures are refused
  const AudioTower* audio = nullptr;        // sound through a tower
  const FrameProjection* frames = nullptr;  // or without one; both absent: sound is refused
  const Drafter* drafter = nullptr;         // of that decoder; absent: every token takes a step of its own
  std::vector<int32_t> stop_ids;            // that end every answer
  std::vector<int32_t> suppress_ids;        // that are never picked
};

struct EngineOptions {
  StepExecutor* executor = nullptr;  // outlives the engine; required
  TraceSink* trace = nullptr;        // outlives the engine
  // That deadlines are compared with, asked on the thread of a step. Null: that of Urgency::Clock.
  std::function<Urgency::Clock::time_point()> now;
  // Prompt and answer together. 0: what the checkpoint allows and kv_limit_bytes holds, at most 8192.
  int64_t context_tokens = 0;
  int64_t prefill_chunk_rows = 256;   // prompt rows of one step, over all sequences
  int64_t max_sequences = 16;         // decoded side by side; more wait
  int64_t max_tower_patches = 10080;  // of the pictures that go through the tower side by side; one always may
  int64_t max_sound_tokens = 1500;    // soft tokens of the clips that do; one always may
  // Of all keys and values together. 0: 1 GiB, or more where one sequence that fills the context needs it.
  int64_t kv_limit_bytes = 0;
  // Of the beginnings of prompts that are kept for the next ones, within kv_limit_bytes. 0: none are kept.
  int64_t prefix_limit_bytes = int64_t{256} << 20;
  int64_t max_draft_tokens = 6;  // that a drafter guesses ahead for a sequence
  bool adaptive_drafts = true;   // as many as pay by what was measured; else always the most
};

// What an engine takes beside the weights and the towers' scratch: known from the configuration, before a weight is
// read.
struct EngineMemory {
  int64_t context_tokens = 0;
  int64_t step_bytes = 0;      // scratch of a decoder step, sized once
  int64_t sequence_bytes = 0;  // keys and values of one sequence that fills the context
  int64_t kv_limit_bytes = 0;  // of all sequences together
};

// `drafter` may be null. Throws ArgumentError on an option out of range, and on a context whose keys and values the
// limit cannot hold.
EngineMemory MemoryOf(const TextConfig& config, const EngineOptions& options, const TextConfig* drafter = nullptr);

// The step machine of a loaded model, shared by every node and graph that uses it. One task is one step: either one
// layer of a tower over a packed batch of pictures or of clips, or one decoder step over the live sequences (prompt
// chunks and single rows together). Where both are pending, towers and the decoder alternate, and so do the towers
// among themselves. Media and sequences join and leave between steps. Work waits by priority, then in the order of
// submission, for a free place and for room in the limits; how much waits is bounded by the callers, who hold a credit
// for each request. A request whose deadline has passed ends before the next step, with its memory; the others go on as
// if it had not been there.
//
// With a drafter a step takes a sequence as many tokens further as were guessed right: the model looks at all of them
// in one pass, and each is picked from its own logits, greedily or drawn, under the request's form. In exact mode those
// have the bits that they have without a drafter, so an answer is the same whatever is drafted.
//
// What a prompt begins with is not computed again where it is kept from another (SequenceRequest::cut_rows): the same
// ids, and media of the same content. Such an answer has the bits of one that computed all of its prompt.
//
// Any thread may submit and cancel. A step that throws fails the requests it was working on and no others.
// Trace events (subject: the request, one zone for each request of a step; value): "submit picture" (patches), "tower
// layer" zone (layer), "picture done" (rows), "submit sound" (soft tokens), "sound layer" zone (layer), "sound done"
// (rows), "submit sequence" (prompt rows), "draft" zone (most tokens), "prefill" and "decode" zones (rows), "finish
// sequence" (tokens).
class Engine {
 public:
  // Throws ArgumentError as MemoryOf.
  Engine(const EngineParts& parts, const EngineOptions& options);
  // Cancels what is left, with its terminal calls, and returns when no step is enqueued or running. Not to be called
  // from a listener, nor by the only thread that could run the enqueued step.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Throws ArgumentError where the checkpoint has no vision tower or the patches are not as PreprocessImage makes them,
  // InputError on a picture beyond the tower's position table.
  RequestId SubmitPicture(ImagePatches picture, std::shared_ptr<MediumListener> listener, const Urgency& urgency = {});

  // A clip (16 kHz, -1..1): its soft tokens, 40 ms each, for a prompt's span of sound. The weights of a tower are
  // packed layer by layer in the steps of the first clip; its scratch (57 MB for the released towers) is made then, and
  // kept. Throws ArgumentError where the checkpoint takes no sound; InputError on a clip without samples, on a sample
  // that is not finite, and where the checkpoint has a tower on a clip longer than 30 s or shorter than 161 samples.
  RequestId SubmitSound(std::vector<float> samples, std::shared_ptr<MediumListener> listener,
                        const Urgency& urgency = {});

  // Throws InputError where the prompt leaves no room for a token in the context or can never fit the limit of keys and
  // values; ArgumentError where media, spans and placeholders do not match or an id is outside the vocabulary.
  RequestId SubmitSequence(SequenceRequest request, std::shared_ptr<SequenceListener> listener);

  // Takes effect before the next step, the terminal call included. A request that has ended, or is just ending, is left
  // as it is.
  void Cancel(RequestId id);

  // As of the end of the last step. Any thread.
  EngineCounts counts() const;

  int64_t context_tokens() const;

 private:
  class Machine;
  std::unique_ptr<Machine> machine_;
};

}  // namespace percept
