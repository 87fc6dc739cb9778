// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace percept {

// How the values of a GGUF tensor stand to those of the same tensor in safetensors.
enum class GgufForm {
  kSame,
  kScalar,        // one element here, no dimension there
  kChannelsLast,  // each row is (channel, pixels) here, (pixels, channel) there; of three channels
  kAxisLast,      // [axis, row, width] here, [row, axis, width] there
  kOneInput,      // [channel, tap] here, [channel, 1, tap] there
  kSoftplus,      // softplus(x) here, x there
};

struct GgufName {
  std::string name;  // in safetensors; the name itself where that is not known
  GgufForm form = GgufForm::kSame;
};

// What pictures go through in an mmproj file, which its metadata say: the names of its tensors are the same for both.
enum class GgufVision { kTower, kCells };

// The name in safetensors of a tensor of a GGUF file, text or mmproj (spec: text-decoder 8, vision 7.3, audio 14).
GgufName SafetensorsName(std::string_view gguf_name, GgufVision vision);

}  // namespace percept
