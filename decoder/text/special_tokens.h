// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "decoder/config/text_config.h"
#include "decoder/text/tokenizer.h"

namespace percept {

// Ids of the special tokens, looked up by string in the checkpoint's own tokenizer (spec: prompt-and-files, section 1).
struct SpecialTokens {
  int32_t pad, eos, bos;
  int32_t tool_call_open, tool_call_close, tool_response_open, tool_response_close;
  int32_t string_mark;  // <|"|>, which begins and ends a string in a call
  int32_t channel_open, channel_close;
  int32_t turn_open, turn_close;
  int32_t boi, image, eoi;
  int32_t boa, audio, eoa;
  int32_t video;
};

// Throws CheckpointError that names a token that the tokenizer lacks, or has as ordinary text.
SpecialTokens FindSpecialTokens(const Tokenizer& tokenizer);

// Throws CheckpointError where config.json gives a token another id than the tokenizer does, or the tokenizer has more
// ids than the embedding has rows.
void RequireSameIds(const SpecialTokens& tokens, const Tokenizer& tokenizer, const TextConfig& config,
                    const std::string& config_file);

}  // namespace percept
