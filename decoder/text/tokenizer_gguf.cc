// SPDX-License-Identifier: Apache-2.0
// Reads the tokenizer of a GGUF file (spec: prompt-and-files, section 2.7).
#include <algorithm>
#include <string>
#include <utility>

#include "decoder/text/tokenizer.h"
#include "kernels/core/quoted.h"

namespace percept {
namespace {

constexpr std::string_view kModel = "tokenizer.ggml.model";
constexpr std::string_view kPre = "tokenizer.ggml.pre";
constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kMerges = "tokenizer.ggml.merges";
constexpr std::string_view kSpacePrefix = "tokenizer.ggml.add_space_prefix";

// The special tokens of section 1. The file's token types are no guide: some mark ordinary pieces as control, some show
// the tokens of channels and tools as text.
constexpr std::string_view kSpecial[] = {"<pad>",
                                         "<eos>",
                                         "<bos>",
                                         "<unk>",
                                         "<mask>",
                                         "<|tool>",
                                         "<tool|>",
                                         "<|tool_call>",
                                         "<tool_call|>",
                                         "<|tool_response>",
                                         "<tool_response|>",
                                         "<|\"|>",
                                         "<|think|>",
                                         "<|channel>",
                                         "<channel|>",
                                         "<|turn>",
                                         "<turn|>",
                                         "<|image>",
                                         "<|audio>",
                                         "<|image|>",
                                         "<|audio|>",
                                         "<image|>",
                                         "<audio|>",
                                         "<|video|>"};

std::pair<std::string_view, std::string_view> SplitMerge(const GgufMetadata& metadata, std::string_view merge,
                                                         size_t rank) {
  // Pieces hold no space, but one may be nothing else than other white space.
  const size_t space = merge.find(' ', 1);
  if (space == std::string_view::npos || space + 1 == merge.size()) {
    metadata.Fail(kMerges, "holds at " + std::to_string(rank) + " no two pieces with a space between");
  }
  return {merge.substr(0, space), merge.substr(space + 1)};
}

}  // namespace

Tokenizer Tokenizer::FromGguf(const GgufMetadata& metadata) {
  const std::string_view model = metadata.String(kModel);
  // Ollama writes 'llama' for the kind and the name to this key.
  const bool is_named = model == "llama" && metadata.Has(kPre) && metadata.String(kPre) == "gemma4";
  if (model != "gemma4" && !is_named) {
    metadata.Fail(kModel, "is " + Quoted(model) + ", not 'gemma4'");
  }
  if (metadata.Has(kSpacePrefix) && metadata.Bool(kSpacePrefix)) {
    metadata.Fail(kSpacePrefix, "is true: no space is put in front of a text here");
  }
  TokenizerParts parts;
  parts.pieces = metadata.StringList(kTokens);
  for (const std::string_view merge : metadata.StringList(kMerges)) {
    parts.merges.push_back(SplitMerge(metadata, merge, parts.merges.size()));
  }
  for (size_t id = 0; id < parts.pieces.size(); ++id) {
    if (std::find(std::begin(kSpecial), std::end(kSpecial), parts.pieces[id]) == std::end(kSpecial)) continue;
    parts.added_tokens.push_back({.id = static_cast<int32_t>(id), .content = std::string(parts.pieces[id])});
  }
  return Tokenizer(parts, metadata.file());
}

}  // namespace percept
