// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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

// What pictures and sound go through, which decides what a name stands for. An mmproj file with kTower has the same
// names as one with kCells. kTowersInTextFile: both towers in the file of the text, as Ollama converts models; some
// names of the audio tower stand for other tensors there.
enum class GgufEncoders { kTower, kCells, kTowersInTextFile };

// The name in safetensors of a tensor of a GGUF file, text or mmproj (spec: text-decoder 8, vision 7.3, audio 14).
GgufName SafetensorsName(std::string_view gguf_name, GgufEncoders encoders);

// The other way round: the name that a GGUF file would have for a tensor; the name itself where that is not known.
std::string GgufTensorName(std::string_view safetensors_name, GgufEncoders encoders);

// A text file with towers has the bounds of the vision tower's linears in one tensor of this name.
inline constexpr std::string_view kGgufVisionBounds = "v.clamp_data";
// The names in safetensors of its elements, in their order: input_min, input_max, output_min and output_max of the
// seven linears of each layer. What is beyond the last layer belongs to the projector, which has no bounds.
std::vector<std::string> VisionBoundNames(int64_t num_elements);

}  // namespace percept
