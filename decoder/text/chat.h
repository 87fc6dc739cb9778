// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "decoder/text/media_kind.h"
#include "decoder/text/tokenizer.h"
#include "decoder/text/tool.h"

namespace percept {

// kTool: what a tool gave, after the model's turn that asked for it.
enum class Role { kSystem, kDeveloper, kUser, kModel, kTool };

// Text, or the place of one picture, video or clip.
using ChatPart = std::variant<std::string, MediaKind>;

// One turn. A plain string and a list of parts are written differently in a system turn; no content at all differs from
// an empty string in a tool's turn alone.
struct ChatMessage {
  Role role = Role::kUser;
  std::variant<std::string, std::vector<ChatPart>, std::monostate> content;
  std::string reasoning;  // of a model turn; dropped from turns before the last user turn

  // Of a model turn. The answers follow as turns of kTool, or stand here: then turns of kTool are not for this one.
  std::vector<ToolCall> tool_calls = {};
  std::vector<ToolResponse> tool_responses = {};

  // Of a tool's turn: which call it answers. A name is used where no call has this id.
  std::string tool_call_id = {};
  std::string tool_name = {};
};

struct ChatOptions {
  bool enable_thinking = false;
  bool preserve_thinking = false;  // keeps the reasoning of earlier turns that called tools
  bool add_generation_prompt = true;
  // The checkpoint's template writes an empty, closed thought when thinking is off: EmitsClosedThought().
  bool closed_thought = false;
  std::vector<Tool> tools = {};
};

// The prompt of a conversation (spec: prompt-and-files, section 3.2). Only the words of the template itself, media
// placeholders included, are trusted. A tool's turn that follows no call is left out, as the templates do. Throws
// InputError where a tool's schema, arguments or response are not the JSON they should be.
std::vector<TextSpan> RenderChat(const std::vector<ChatMessage>& messages, const ChatOptions& options);

// Throws InputError that names a tool's turn which follows no call, and so would be left out.
void RequireToolTurnsAnswer(const std::vector<ChatMessage>& messages);

// Whether a chat_template.jinja closes an empty thought after the model turn it opens (section 3.1).
bool EmitsClosedThought(std::string_view chat_template);

}  // namespace percept
