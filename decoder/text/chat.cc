// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/chat.h"

#include <array>

#include "decoder/text/utf8.h"

namespace percept {
namespace {

constexpr std::string_view kChannelOpen = "<|channel>";
constexpr std::string_view kChannelClose = "<channel|>";

const char* RoleName(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kDeveloper:
      return "developer";
    case Role::kUser:
      return "user";
    case Role::kModel:
      return "model";
  }
  return "";
}

const char* Placeholder(MediaKind kind) {
  switch (kind) {
    case MediaKind::kImage:
      return "<|image|>";
    case MediaKind::kVideo:
      return "<|video|>";
    case MediaKind::kAudio:
      return "<|audio|>";
  }
  return "";
}

// Joins neighbours of one trust.
class SpanWriter {
 public:
  void Trusted(std::string_view text) { Add(text, Trust::kTrusted); }
  void Untrusted(std::string_view text) { Add(text, Trust::kUntrusted); }
  std::vector<TextSpan> Take() { return std::move(spans_); }

 private:
  void Add(std::string_view text, Trust trust) {
    if (text.empty()) return;
    if (spans_.empty() || spans_.back().trust != trust) spans_.push_back({{}, trust});
    spans_.back().text += text;
  }

  std::vector<TextSpan> spans_;
};

std::string Repaired(std::string_view text) {
  std::string repaired;
  AppendRepaired(text, &repaired);
  return repaired;
}

std::string Trimmed(std::string_view text) { return std::string(TrimWhiteSpace(Repaired(text))); }

// Without the thoughts a model's earlier answer may still hold.
std::string WithoutThoughts(std::string_view text) {
  std::string kept;
  for (bool more = true; more;) {
    const size_t close = text.find(kChannelClose);
    more = close != std::string_view::npos;
    const std::string_view piece = text.substr(0, close);
    kept += piece.substr(0, piece.find(kChannelOpen));
    if (more) text.remove_prefix(close + kChannelClose.size());
  }
  return Trimmed(kept);
}

bool IsInstruction(const ChatMessage& message) {
  return message.role == Role::kSystem || message.role == Role::kDeveloper;
}

void WriteInstruction(const ChatMessage& message, SpanWriter* out) {
  if (const auto* text = std::get_if<std::string>(&message.content)) {
    out->Untrusted(Trimmed(*text));
    return;
  }
  for (const ChatPart& part : std::get<std::vector<ChatPart>>(message.content)) {
    if (const auto* text = std::get_if<std::string>(&part)) out->Untrusted(Trimmed(*text));
    out->Trusted(" ");  // media vanish from this turn, their space does not
  }
}

void WriteContent(const ChatMessage& message, SpanWriter* out) {
  const auto write_text = [&](std::string_view text) {
    out->Untrusted(message.role == Role::kModel ? WithoutThoughts(text) : Trimmed(text));
  };
  if (const auto* text = std::get_if<std::string>(&message.content)) {
    write_text(*text);
    return;
  }
  for (const ChatPart& part : std::get<std::vector<ChatPart>>(message.content)) {
    if (const auto* text = std::get_if<std::string>(&part)) {
      write_text(*text);
    } else {
      out->Trusted(Placeholder(std::get<MediaKind>(part)));
    }
  }
}

void WriteTurns(const std::vector<ChatMessage>& messages, size_t first, SpanWriter* out) {
  size_t after_last_user = first;
  for (size_t i = first; i < messages.size(); ++i) {
    if (messages[i].role == Role::kUser) after_last_user = i + 1;
  }
  const auto is_model = [&](size_t i) { return i >= first && i < messages.size() && messages[i].role == Role::kModel; };
  for (size_t i = first; i < messages.size(); ++i) {
    // Turns of the model in a row are one turn.
    const bool goes_on = is_model(i) && i > first && is_model(i - 1);
    if (!goes_on) out->Trusted(std::string("<|turn>") + RoleName(messages[i].role) + "\n");
    if (i >= after_last_user && !messages[i].reasoning.empty()) {
      out->Trusted("<|channel>thought\n");
      out->Untrusted(messages[i].reasoning);
      out->Trusted("\n<channel|>");
    }
    WriteContent(messages[i], out);
    if (!(is_model(i) && is_model(i + 1))) out->Trusted("<turn|>\n");
  }
}

}  // namespace

std::vector<TextSpan> RenderChat(const std::vector<ChatMessage>& messages, const ChatOptions& options) {
  SpanWriter out;
  out.Trusted("<bos>");
  const bool has_instruction = !messages.empty() && IsInstruction(messages[0]);
  if (options.enable_thinking || has_instruction) {
    out.Trusted("<|turn>system\n");
    if (options.enable_thinking) out.Trusted("<|think|>\n");
    if (has_instruction) WriteInstruction(messages[0], &out);
    out.Trusted("<turn|>\n");
  }
  WriteTurns(messages, has_instruction ? 1 : 0, &out);
  if (options.add_generation_prompt) {
    out.Trusted("<|turn>model\n");
    if (options.closed_thought && !options.enable_thinking) out.Trusted("<|channel>thought\n<channel|>");
  }
  return out.Take();
}

bool EmitsClosedThought(std::string_view chat_template) {
  // The generation prompt is the last place that opens a model turn. A template writes newlines as they are or escaped.
  constexpr std::array<std::string_view, 2> kTurns = {"<|turn>model\n", "<|turn>model\\n"};
  constexpr std::array<std::string_view, 2> kThoughts = {"<|channel>thought\n<channel|>",
                                                         "<|channel>thought\\n<channel|>"};
  size_t turn = std::string_view::npos;
  for (std::string_view text : kTurns) {
    const size_t last = chat_template.rfind(text);
    if (last != std::string_view::npos && (turn == std::string_view::npos || last > turn)) turn = last;
  }
  if (turn == std::string_view::npos) return false;
  const std::string_view rest = chat_template.substr(turn);
  for (std::string_view text : kThoughts) {
    if (rest.find(text) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace percept
