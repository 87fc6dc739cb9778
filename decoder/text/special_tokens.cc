// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/special_tokens.h"

#include <optional>

#include "kernels/core/error.h"
#include "kernels/core/quoted.h"

namespace percept {

SpecialTokens FindSpecialTokens(const Tokenizer& tokenizer) {
  const auto id = [&](const char* token) {
    const int32_t found = tokenizer.RequireId(token);
    if (tokenizer.is_special(found)) return found;
    throw CheckpointError(tokenizer.source() + ": '" + token + "' is not among the special tokens");
  };
  SpecialTokens tokens;
  tokens.pad = id("<pad>");
  tokens.eos = id("<eos>");
  tokens.bos = id("<bos>");
  tokens.tool_call_open = id("<|tool_call>");
  tokens.tool_call_close = id("<tool_call|>");
  tokens.tool_response_open = id("<|tool_response>");
  tokens.tool_response_close = id("<tool_response|>");
  tokens.string_mark = id("<|\"|>");
  tokens.channel_open = id("<|channel>");
  tokens.channel_close = id("<channel|>");
  tokens.turn_open = id("<|turn>");
  tokens.turn_close = id("<turn|>");
  tokens.boi = id("<|image>");
  tokens.image = id("<|image|>");
  tokens.eoi = id("<image|>");
  tokens.boa = id("<|audio>");
  tokens.audio = id("<|audio|>");
  tokens.eoa = id("<audio|>");
  tokens.video = id("<|video|>");
  return tokens;
}

void RequireSameIds(const SpecialTokens& tokens, const Tokenizer& tokenizer, const TextConfig& config,
                    const std::string& config_file) {
  if (tokenizer.vocab_size() > config.vocab_size) {
    throw CheckpointError(config_file + ": vocab_size is " + std::to_string(config.vocab_size) +
                          ", but the tokenizer has ids up to " + std::to_string(tokenizer.vocab_size() - 1));
  }
  const auto require = [&](const char* key, std::optional<int32_t> configured, int32_t id) {
    if (!configured || *configured == id) return;
    throw CheckpointError(config_file + ": " + key + " is " + std::to_string(*configured) + ", but the tokenizer has " +
                          Quoted(tokenizer.piece(id)) + " at " + std::to_string(id));
  };
  const ConfigTokenIds& ids = config.token_ids;
  require("bos_token_id", ids.bos, tokens.bos);
  require("pad_token_id", ids.pad, tokens.pad);
  require("boi_token_id", ids.boi, tokens.boi);
  require("image_token_id", ids.image, tokens.image);
  require("eoi_token_id", ids.eoi, tokens.eoi);
  require("boa_token_id", ids.boa, tokens.boa);
  require("audio_token_id", ids.audio, tokens.audio);
  require("eoa_token_id", ids.eoa, tokens.eoa);
  require("video_token_id", ids.video, tokens.video);
}

}  // namespace percept
