// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "decoder/text/media_kind.h"
#include "decoder/text/special_tokens.h"
#include "decoder/text/tokenizer.h"

namespace percept {

// Consecutive prompt rows that soft tokens fill: one picture, one frame of a video, one clip.
struct SoftSpan {
  MediaKind kind = MediaKind::kImage;
  int first_row = 0;
  int num_rows = 0;
  int media_idx = 0;  // into the media the prompt was built with
  int frame_idx = 0;  // of a video, else 0

  bool operator==(const SoftSpan&) const = default;
};

struct Prompt {
  std::vector<int32_t> ids;     // starts with bos
  std::vector<SoftSpan> spans;  // in row order
};

// The soft tokens of one picture, of one frame or of one clip.
struct MediaRun {
  int num_rows = 0;
  double time_s = 0;  // of a video's frame, from the start of the video
};

// One picture or clip (one run) or one video (a run per frame).
struct MediaItem {
  MediaKind kind = MediaKind::kImage;
  std::vector<MediaRun> runs;
};

// Tokenises `text` with each placeholder replaced by the rows of its medium between the marks that enclose it (spec:
// prompt-and-files, section 4). `media` is in the order of the placeholders. Throws InputError where the two do not
// match or a run is empty.
Prompt BuildPrompt(const Tokenizer& tokenizer, const SpecialTokens& tokens, std::span<const TextSpan> text,
                   std::span<const MediaItem> media);

// The rows, ascending, up to which other prompts may begin as this one does: the end of its first turn (instructions
// and tools) and that of the conversation so far, before the last turn that is answered. None in a prompt of one turn.
std::vector<int64_t> TurnCuts(const Prompt& prompt, const SpecialTokens& tokens);

// [ids.size()] 0 text, 1 image, 2 video, 3 audio.
std::vector<uint8_t> TokenTypes(const Prompt& prompt);

}  // namespace percept
