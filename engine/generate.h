// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/text/answer_form.h"
#include "decoder/text/chat.h"
#include "encoders/vision/image.h"
#include "engine/request.h"

namespace percept {

// One question to Model::Generate.
struct GenerateRequest {
  // A user turn: the pictures, then these words, then the sounds.
  std::string prompt;
  // A conversation instead, with the places of the pictures and the sounds in it; then `prompt` must be empty.
  std::vector<ChatMessage> messages;
  bool enable_thinking = false;
  std::vector<Tool> tools;        // that the model may call
  std::vector<RgbView> pictures;  // upright, 8-bit RGB; read before Generate returns, never copied as they are
  std::vector<std::span<const float>> sounds;  // 16 kHz, -1..1; read before Generate returns
  int budget = 0;  // soft tokens per picture: 70, 140, 280, 560 or 1120; 0 is the model's own
  int64_t max_tokens = 512;
  Sampling sampling;                      // greedy, unless it says otherwise
  std::optional<int> top_logprobs;        // asks for Generation::logprobs, with so many of the likeliest tokens
  std::shared_ptr<const Automaton> form;  // FormOfChoices, FormOfSchema: what the answer may be; null: anything
  int64_t max_repeats = 0;                // a block of tokens written so often in a row ends the answer; 0: none does
  Urgency urgency;                        // of the media and of the answer
};

struct Generation {
  std::string text;
  std::string reasoning;                 // what the model wrote into channels of its own
  std::vector<ToolCall> tool_calls;      // to be answered in a turn of kTool each
  std::vector<PickedLogprobs> logprobs;  // of every token, those of channels included
  FinishReason finish = FinishReason::kStop;
  std::string failure;  // of kFailed, kExpired and kContextFull, in words
  SequenceStats stats;
};

// A piece of the answer, whole UTF-8; the pieces of one answer, joined, are its text.
using OnText = std::function<void(std::string_view piece)>;

}  // namespace percept
