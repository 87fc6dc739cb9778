// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/prompt.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include "kernels/core/check.h"
#include "kernels/core/error.h"

namespace percept {
namespace {

constexpr int kNumKinds = 3;

struct Marks {
  const char* open;
  const char* row;
  const char* close;
};

// Frames are pictures between the same marks, with rows of their own.
constexpr std::array<Marks, kNumKinds> kMarks = {{{"<|image>", "<|image|>", "<image|>"},
                                                  {"<|image>", "<|video|>", "<image|>"},
                                                  {"<|audio>", "<|audio|>", "<audio|>"}}};

const Marks& MarksOf(MediaKind kind) { return kMarks[static_cast<size_t>(kind)]; }

// MM:SS, rounded down; minutes may go over 99.
std::string FrameTime(double time_s) {
  const int64_t seconds = static_cast<int64_t>(time_s);
  char text[32];
  std::snprintf(text, sizeof text, "%02lld:%02lld", static_cast<long long>(seconds / 60),
                static_cast<long long>(seconds % 60));
  return text;
}

// A token may be recognised across neighbours of one trust, so they are one span here.
std::vector<TextSpan> Joined(std::span<const TextSpan> text) {
  std::vector<TextSpan> joined;
  for (const TextSpan& span : text) {
    if (joined.empty() || joined.back().trust != span.trust) joined.push_back({{}, span.trust});
    joined.back().text += span.text;
  }
  return joined;
}

struct Placeholder {
  MediaKind kind;
  size_t span_idx;
  size_t pos;
};

std::vector<Placeholder> FindPlaceholders(std::span<const TextSpan> text) {
  std::vector<Placeholder> found;
  for (size_t span_idx = 0; span_idx < text.size(); ++span_idx) {
    if (text[span_idx].trust == Trust::kUntrusted) continue;
    const std::string_view words = text[span_idx].text;
    for (size_t pos = words.find("<|"); pos != std::string_view::npos; pos = words.find("<|", pos + 1)) {
      for (MediaKind kind : {MediaKind::kImage, MediaKind::kVideo, MediaKind::kAudio}) {
        if (words.substr(pos).starts_with(MarksOf(kind).row)) found.push_back({kind, span_idx, pos});
      }
    }
  }
  return found;
}

void RequireMatch(const std::vector<Placeholder>& placeholders, std::span<const MediaItem> media) {
  std::array<int, kNumKinds> num_wanted{};
  std::array<int, kNumKinds> num_given{};
  for (const Placeholder& placeholder : placeholders) ++num_wanted[static_cast<size_t>(placeholder.kind)];
  for (const MediaItem& item : media) ++num_given[static_cast<size_t>(item.kind)];
  for (MediaKind kind : {MediaKind::kImage, MediaKind::kVideo, MediaKind::kAudio}) {
    const int wanted = num_wanted[static_cast<size_t>(kind)];
    const int given = num_given[static_cast<size_t>(kind)];
    if (wanted == given) continue;
    throw InputError("the prompt has a place for " + std::to_string(wanted) + " of kind " + MediaKindName(kind) +
                     ", but " + std::to_string(given) + " are given");
  }
  for (size_t i = 0; i < media.size(); ++i) {
    if (media[i].kind == placeholders[i].kind) continue;
    throw InputError("medium " + std::to_string(i) + " is of kind " + MediaKindName(media[i].kind) +
                     ", but its place in the prompt is of kind " + MediaKindName(placeholders[i].kind));
  }
}

void RequireRows(std::span<const MediaItem> media) {
  for (size_t i = 0; i < media.size(); ++i) {
    const MediaItem& item = media[i];
    const std::string name = "medium " + std::to_string(i) + " (" + MediaKindName(item.kind) + ")";
    const bool one_run = item.runs.size() == 1;
    if (item.runs.empty() || (item.kind != MediaKind::kVideo && !one_run)) {
      throw InputError(name + " has " + std::to_string(item.runs.size()) + " runs of soft tokens");
    }
    for (const MediaRun& run : item.runs) {
      if (run.num_rows <= 0) throw InputError(name + " has no soft tokens: it is too short or too small");
      if (item.kind == MediaKind::kVideo && !(run.time_s >= 0 && run.time_s < 1e9)) {
        throw InputError(name + " has a frame at " + std::to_string(run.time_s) + " s");
      }
    }
  }
}

// One row between the marks of each run; the other rows are added as ids.
std::string WithMarks(const MediaItem& item) {
  const Marks& marks = MarksOf(item.kind);
  std::string text;
  for (const MediaRun& run : item.runs) {
    if (item.kind == MediaKind::kVideo) {
      if (!text.empty()) text += ' ';
      text += FrameTime(run.time_s) + ' ';
    }
    text += marks.open;
    text += marks.row;
    text += marks.close;
  }
  return text;
}

// The times are trusted text like the marks around them: nobody else wrote a character of them.
std::vector<TextSpan> WithMarks(std::span<const TextSpan> text, const std::vector<Placeholder>& placeholders,
                                std::span<const MediaItem> media) {
  std::vector<TextSpan> marked;
  size_t media_idx = 0;
  for (size_t span_idx = 0; span_idx < text.size(); ++span_idx) {
    const std::string_view words = text[span_idx].text;
    TextSpan& span = marked.emplace_back(TextSpan{{}, text[span_idx].trust});
    size_t pos = 0;
    for (; media_idx < media.size() && placeholders[media_idx].span_idx == span_idx; ++media_idx) {
      const Placeholder& placeholder = placeholders[media_idx];
      span.text += words.substr(pos, placeholder.pos - pos);
      span.text += WithMarks(media[media_idx]);
      pos = placeholder.pos + std::string_view(MarksOf(placeholder.kind).row).size();
    }
    span.text += words.substr(pos);
  }
  return marked;
}

}  // namespace

Prompt BuildPrompt(const Tokenizer& tokenizer, const SpecialTokens& tokens, std::span<const TextSpan> text,
                   std::span<const MediaItem> media) {
  const std::vector<TextSpan> joined = Joined(text);
  const std::vector<Placeholder> placeholders = FindPlaceholders(joined);
  RequireMatch(placeholders, media);
  RequireRows(media);
  const std::vector<int32_t> ids = tokenizer.Encode(WithMarks(joined, placeholders, media));
  Prompt prompt;
  if (ids.empty() || ids.front() != tokens.bos) prompt.ids.push_back(tokens.bos);
  size_t media_idx = 0;
  size_t frame_idx = 0;
  for (int32_t id : ids) {
    if (id != tokens.image && id != tokens.video && id != tokens.audio) {
      prompt.ids.push_back(id);
      continue;
    }
    PERCEPT_CHECK(media_idx < media.size());
    const MediaItem& item = media[media_idx];
    const int num_rows = item.runs[frame_idx].num_rows;
    prompt.spans.push_back({item.kind, static_cast<int>(prompt.ids.size()), num_rows, static_cast<int>(media_idx),
                            static_cast<int>(frame_idx)});
    prompt.ids.insert(prompt.ids.end(), num_rows, id);
    if (++frame_idx == item.runs.size()) {
      ++media_idx;
      frame_idx = 0;
    }
  }
  PERCEPT_CHECK(media_idx == media.size());
  return prompt;
}

std::vector<int64_t> TurnCuts(const Prompt& prompt, const SpecialTokens& tokens) {
  std::vector<int64_t> turns;
  for (size_t row = 0; row < prompt.ids.size(); ++row) {
    if (prompt.ids[row] == tokens.turn_open) turns.push_back(static_cast<int64_t>(row));
  }
  // The last one is the answer's.
  if (turns.size() < 3) return {};
  const int64_t first_end = turns[1], conversation_end = turns[turns.size() - 2];
  return first_end == conversation_end ? std::vector{first_end} : std::vector{first_end, conversation_end};
}

std::vector<uint8_t> TokenTypes(const Prompt& prompt) {
  std::vector<uint8_t> types(prompt.ids.size(), 0);
  for (const SoftSpan& span : prompt.spans) {
    std::fill_n(types.begin() + span.first_row, span.num_rows, static_cast<uint8_t>(span.kind) + 1);
  }
  return types;
}

}  // namespace percept
