// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/chat.h"

#include <array>

#include "decoder/text/span_writer.h"
#include "decoder/text/tool_text.h"
#include "decoder/text/utf8.h"
#include "kernels/core/error.h"

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
    case Role::kTool:
      return "tool";
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
  if (const auto* text = std::get_if<std::string>(&message.content)) out->Untrusted(Trimmed(*text));
  const auto* parts = std::get_if<std::vector<ChatPart>>(&message.content);
  if (parts == nullptr) return;
  for (const ChatPart& part : *parts) {
    if (const auto* text = std::get_if<std::string>(&part)) out->Untrusted(Trimmed(*text));
    out->Trusted(" ");  // media vanish from this turn, their space does not
  }
}

// Whether anything was written.
bool WriteContent(const ChatMessage& message, SpanWriter* out) {
  bool wrote = false;
  const auto write_text = [&](std::string_view text) {
    const std::string words = message.role == Role::kModel ? WithoutThoughts(text) : Trimmed(text);
    out->Untrusted(words);
    wrote = wrote || !words.empty();
  };
  if (const auto* text = std::get_if<std::string>(&message.content)) write_text(*text);
  const auto* parts = std::get_if<std::vector<ChatPart>>(&message.content);
  if (parts == nullptr) return wrote;
  for (const ChatPart& part : *parts) {
    if (const auto* text = std::get_if<std::string>(&part)) {
      write_text(*text);
    } else {
      out->Trusted(Placeholder(std::get<MediaKind>(part)));
      wrote = true;
    }
  }
  return wrote;
}

std::string NameOfAnswered(const ChatMessage& answer, const std::vector<ToolCall>& calls) {
  for (const ToolCall& call : calls) {
    if (!call.id.empty() && call.id == answer.tool_call_id) return call.name;
  }
  return answer.tool_name;
}

// Media come after the block: within it there is nothing but values.
void WriteAnswer(const ChatMessage& answer, const std::vector<ToolCall>& calls, SpanWriter* out) {
  const std::string name = NameOfAnswered(answer, calls);
  const auto* parts = std::get_if<std::vector<ChatPart>>(&answer.content);
  if (parts == nullptr) {
    WriteToolAnswer(name, std::get_if<std::string>(&answer.content), out);
    return;
  }
  std::string words;
  for (const ChatPart& part : *parts) {
    if (const auto* text = std::get_if<std::string>(&part)) words += *text;
  }
  WriteToolAnswer(name, &words, out);
  for (const ChatPart& part : *parts) {
    if (const auto* kind = std::get_if<MediaKind>(&part)) out->Trusted(Placeholder(*kind));
  }
}

// What the turn written last leaves open.
enum class TurnEnd { kClosed, kCall, kResponse, kClosedAfterResponse };

// The turns after the instruction.
class TurnWriter {
 public:
  TurnWriter(const std::vector<ChatMessage>& messages, size_t first, const ChatOptions& options, SpanWriter* out)
      : messages_(messages), options_(options), out_(*out), first_(first), after_last_user_(first) {
    for (size_t i = first; i < messages.size(); ++i) {
      if (messages[i].role == Role::kUser) after_last_user_ = i + 1;
    }
  }

  TurnEnd Write() {
    for (size_t i = first_; i < messages_.size(); ++i) {
      if (messages_[i].role != Role::kTool) WriteTurn(i);
    }
    return end_;
  }

 private:
  const ChatMessage* NextTurn(size_t i) const {
    while (++i < messages_.size()) {
      if (messages_[i].role != Role::kTool) return &messages_[i];
    }
    return nullptr;
  }

  void WriteTurn(size_t i) {
    const ChatMessage& message = messages_[i];
    const bool is_model = message.role == Role::kModel;
    // Turns of the model in a row are one turn.
    if (!is_model || !after_model_) out_.Trusted(std::string("<|turn>") + RoleName(message.role) + "\n");
    after_model_ = is_model;
    WriteReasoning(i);
    for (const ToolCall& call : message.tool_calls) WriteToolCall(call, &out_);
    const bool answered = WriteAnswers(i);
    const bool has_content = WriteContent(message, &out_);
    Close(i, answered, has_content);
  }

  void WriteReasoning(size_t i) {
    const ChatMessage& message = messages_[i];
    const bool kept = i >= after_last_user_ || (options_.preserve_thinking && !message.tool_calls.empty());
    if (!kept || message.reasoning.empty()) return;
    out_.Trusted("<|channel>thought\n");
    out_.Untrusted(message.reasoning);
    out_.Trusted("\n<channel|>");
  }

  bool WriteAnswers(size_t i) {
    const ChatMessage& message = messages_[i];
    for (const ToolResponse& response : message.tool_responses) WriteToolResponse(response, &out_);
    if (!message.tool_responses.empty()) return true;
    if (message.tool_calls.empty()) return false;
    size_t next = i + 1;
    for (; next < messages_.size() && messages_[next].role == Role::kTool; ++next) {
      WriteAnswer(messages_[next], message.tool_calls, &out_);
    }
    return next > i + 1;
  }

  void Close(size_t i, bool answered, bool has_content) {
    const ChatMessage* const next = NextTurn(i);
    const bool called = !messages_[i].tool_calls.empty();
    if (called && !answered) {
      out_.Trusted("<|tool_response>");
      end_ = TurnEnd::kCall;
      return;
    }
    end_ = answered ? TurnEnd::kResponse : TurnEnd::kClosed;
    if (messages_[i].role == Role::kModel && next != nullptr && next->role == Role::kModel) return;
    if (answered && !has_content && next == nullptr) return;
    out_.Trusted("<turn|>\n");
    if (answered) end_ = TurnEnd::kClosedAfterResponse;
  }

  const std::vector<ChatMessage>& messages_;
  const ChatOptions& options_;
  SpanWriter& out_;
  const size_t first_;
  size_t after_last_user_;
  bool after_model_ = false;
  TurnEnd end_ = TurnEnd::kClosed;
};

void WriteGenerationPrompt(TurnEnd end, const ChatOptions& options, SpanWriter* out) {
  if (end == TurnEnd::kCall) return;
  if (end == TurnEnd::kResponse) {
    if (options.enable_thinking) out->Trusted("<|channel>thought\n");
    return;
  }
  out->Trusted("<|turn>model\n");
  if (end == TurnEnd::kClosed && options.closed_thought && !options.enable_thinking) {
    out->Trusted("<|channel>thought\n<channel|>");
  }
}

}  // namespace

std::vector<TextSpan> RenderChat(const std::vector<ChatMessage>& messages, const ChatOptions& options) {
  SpanWriter out;
  out.Trusted("<bos>");
  const bool has_instruction = !messages.empty() && IsInstruction(messages[0]);
  if (options.enable_thinking || has_instruction || !options.tools.empty()) {
    out.Trusted("<|turn>system\n");
    if (options.enable_thinking) out.Trusted("<|think|>\n");
    if (has_instruction) WriteInstruction(messages[0], &out);
    for (const Tool& tool : options.tools) WriteTool(tool, &out);
    out.Trusted("<turn|>\n");
  }
  const TurnEnd end = TurnWriter(messages, has_instruction ? 1 : 0, options, &out).Write();
  if (options.add_generation_prompt) WriteGenerationPrompt(end, options, &out);
  return out.Take();
}

void RequireToolTurnsAnswer(const std::vector<ChatMessage>& messages) {
  bool may_follow = false;
  for (size_t i = 0; i < messages.size(); ++i) {
    const ChatMessage& message = messages[i];
    if (message.role != Role::kTool) {
      may_follow = !message.tool_calls.empty() && message.tool_responses.empty();
    } else if (!may_follow) {
      throw InputError("message " + std::to_string(i + 1) + " is a tool's, but follows no call of one");
    }
  }
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
