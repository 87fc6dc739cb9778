// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "decoder/text/media_kind.h"
#include "decoder/text/tokenizer.h"

namespace percept {

enum class Role { kSystem, kDeveloper, kUser, kModel };

// Text, or the place of one picture, video or clip.
using ChatPart = std::variant<std::string, MediaKind>;

// One turn. A plain string and a list of parts are written differently in a system turn.
struct ChatMessage {
  Role role = Role::kUser;
  std::variant<std::string, std::vector<ChatPart>> content;
  std::string reasoning;  // of a model turn; dropped from turns before the last user turn
};

struct ChatOptions {
  bool enable_thinking = false;
  bool add_generation_prompt = true;
  // The checkpoint's template writes an empty, closed thought when thinking is off: EmitsClosedThought().
  bool closed_thought = false;
};

// The prompt of a conversation (spec: prompt-and-files, section 3.2). Only the words of the template itself, media
// placeholders included, are trusted.
std::vector<TextSpan> RenderChat(const std::vector<ChatMessage>& messages, const ChatOptions& options);

// Whether a chat_template.jinja closes an empty thought after the model turn it opens (section 3.1).
bool EmitsClosedThought(std::string_view chat_template);

}  // namespace percept
