// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "decoder/text/media_kind.h"
#include "encoders/vision/image.h"
#include "engine/request.h"
#include "graph/packet/payload.h"
#include "nodes/payload/audio_chunk.h"

namespace percept::nodes {

// What records say about a picture that went into a prompt.
struct PictureFacts {
  std::string source;
  size_t num_in_source = 1;  // pictures that the source reads in all
  ImageSize size;            // upright, as decoded
  ImageSize resized;         // as the tower saw it
  int budget = 0;            // soft tokens allowed
  int64_t num_soft_tokens = 0;
  std::vector<std::string> repairs;
  std::chrono::nanoseconds decode_time{}, preprocess_time{};
  std::chrono::nanoseconds encode_time{};  // in the engine, waiting included
};

// The same of a clip.
struct SoundFacts {
  SoundOrigin origin;
  graph::Duration duration;
  int64_t num_soft_tokens = 0;
  std::chrono::nanoseconds encode_time{};
};

// An encoded picture or clip.
struct SoftTokens {
  std::shared_ptr<const percept::SoftTokens> rows;  // never null
  MediaKind kind = MediaKind::kImage;
  PictureFacts picture = {};  // of a picture
  SoundFacts sound = {};      // of a clip
};

}  // namespace percept::nodes

template <>
struct percept::graph::PayloadTraits<percept::nodes::SoftTokens> {
  static constexpr const char* kName = "SoftTokens";
  static size_t Bytes(const percept::nodes::SoftTokens& tokens) { return sizeof(tokens) + tokens.rows->size_bytes(); }
};
