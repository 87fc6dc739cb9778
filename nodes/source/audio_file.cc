// SPDX-License-Identifier: Apache-2.0
//
//   listen: { type: audio.file, path: note.m4a }
//
// Reads sound: a clip per file, "-" from standard input, at the time that the file gives it. Of several files each
// begins where the one before ended.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph/node/registry.h"
#include "kernels/core/error.h"
#include "nodes/payload/audio_chunk.h"
#include "nodes/runtime.h"
#include "nodes/source/sound_decoder.h"
#include "nodes/source/standard_input.h"

namespace percept::nodes {
namespace {

// How far a file that cannot be used moves the next one.
const graph::Duration kFailedLength = graph::Duration::Seconds(1);

class AudioFile : public graph::Node {
 public:
  AudioFile(std::vector<std::string> paths, const Runtime& runtime)
      : paths_(std::move(paths)),
        limits_(runtime.options().limits),
        pipe_(runtime.options().standard_input, limits_.stream_bytes) {}

  void Open(graph::NodeContext& context) override {
    if (const std::optional<std::string> chunk = context.resume_chunk()) {
      const size_t mark = chunk->find(':');
      next_idx_ = std::stoul(chunk->substr(0, mark)) + 1;
      begin_ = graph::Duration::Nanoseconds(std::stoll(chunk->substr(mark + 1)));
    }
  }

  graph::Process Process(graph::NodeContext& context) override {
    if (pipe_.is_open()) {
      return FinishPipe(context);
    }
    if (next_idx_ >= paths_.size()) {
      return graph::Process::kFinished;
    }
    const std::string& path = paths_[next_idx_];
    const graph::Time time = context.start_time() + begin_;
    const bool is_pipe = path == kStandardInput;
    const graph::ItemRef item = context.NewItem(is_pipe ? "standard input" : path);
    graph::Duration length = kFailedLength;
    try {
      if (is_pipe) {
        pipe_.Open(context, item, time);
        return graph::Process::kBlocked;
      }
      AudioChunk chunk = DecodeSoundFile(path, limits_.clip_samples, [&] { return context.cancelled(); });
      graph::Packet packet = ToPacket(std::move(chunk), path, time, &length);
      context.Send("audio", std::move(packet));
    } catch (const InputError& error) {
      context.SendError(graph::ErrorKind::kBadInput, error.what(), time, item);
    }
    return Advance(context, length);
  }

  void Close() override { pipe_.Close(); }

  void Interrupt() override { pipe_.Interrupt(); }

 private:
  // At the time that its file gives it. Some files begin a little before their zero.
  graph::Packet ToPacket(AudioChunk chunk, const std::string& source, graph::Time time, graph::Duration* length) const {
    chunk.origin.source = source;
    chunk.origin.num_in_source = paths_.size();
    const graph::Duration start = std::max(chunk.origin.start, graph::Duration());
    const graph::Duration duration = chunk.duration();
    *length = start + duration;
    return graph::Packet::Make(std::move(chunk), time + start).WithDuration(duration);
  }

  graph::Process FinishPipe(graph::NodeContext& context) {
    if (const std::optional<graph::Process> answer = pipe_.Await()) {
      return *answer;
    }
    graph::Duration length = kFailedLength;
    try {
      const std::vector<std::byte> bytes = pipe_.TakeBytes();
      AudioChunk chunk = DecodeSoundBytes(bytes, limits_.clip_samples, [&] { return context.cancelled(); });
      graph::Packet packet = ToPacket(std::move(chunk), pipe_.item().item_label(), pipe_.item().time(), &length);
      context.Send("audio", std::move(packet), pipe_.item());
    } catch (const InputError& error) {
      context.SendError(graph::ErrorKind::kBadInput, error.what(), pipe_.item());
    }
    pipe_.Close();
    return Advance(context, length);
  }

  graph::Process Advance(graph::NodeContext& context, graph::Duration length) {
    begin_ = begin_ + length;
    // The next file's begin too: a run that goes on after this chunk need not read it again.
    context.EndChunk(std::to_string(next_idx_++) + ":" + std::to_string(begin_.nanoseconds()));
    return next_idx_ == paths_.size() ? graph::Process::kFinished : graph::Process::kHaveOutput;
  }

  const std::vector<std::string> paths_;
  const InputLimits limits_;
  size_t next_idx_ = 0;
  graph::Duration begin_;  // of the next file, from the start of the source's timeline
  StandardInput pipe_;
};

}  // namespace

void RegisterAudioFile(graph::Registry* registry) {
  graph::Contract contract{
      .type = "audio.file",
      .doc = "Reads sound of any container and codec that FFmpeg knows, as 16 kHz mono.",
      .example = "listen: { type: audio.file, path: note.m4a }",
      .outputs = {{.name = "audio", .type = "AudioChunk", .doc = "one per file, at its time and of its duration"}},
      .params = {{.name = "path",
                  .type = graph::ParamType::kPath,
                  .doc = "files to read, told apart by content; - is standard input; each begins where the one "
                         "before ended",
                  .is_list = true,
                  .required = true}},
      .source = graph::SourceKind::kBatch,
  };
  registry->Register(std::move(contract), [](const graph::ParamValues& params, const graph::Services& services) {
    return std::make_unique<AudioFile>(params.Get<std::vector<std::string>>("path"), services.Get<Runtime>());
  });
}

}  // namespace percept::nodes
