// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "decoder/config/text_config.h"
#include "decoder/text/media_kind.h"

namespace percept {

// A drafter that goes with a checkpoint.
struct DrafterCard {
  std::string path;
  int64_t num_parameters = 0;
  int64_t file_bytes = 0;
  TextConfig text;
};

// What there is to know about a checkpoint, for `percept model inspect`, for records and for messages.
struct ModelCard {
  std::string name;  // of the folder, or of the GGUF file without its ending
  std::string path;
  bool is_gguf = false;     // else safetensors
  bool has_mmproj = false;  // a GGUF file of encoders beside it

  int64_t num_parameters = 0;  // values in all tensors
  int64_t num_tensors = 0;
  int64_t file_bytes = 0;                 // of the weight files
  std::map<std::string, int64_t> dtypes;  // name -> parameters stored in it

  TextConfig text;                // layers, sizes, mechanisms, the context it was made for
  int64_t num_vision_layers = 0;  // 0: no tower
  int64_t num_audio_layers = 0;   // 0: no tower
  int default_image_budget = 0;   // soft tokens
  int default_frame_budget = 0;

  std::vector<std::string> mechanisms;      // in words, with their sizes
  std::vector<std::string> unused_tensors;  // known ones, which its files hold and no computation reads
  std::string chat_template;                // in words

  std::optional<DrafterCard> drafter;  // the one that was named with it

  std::string unsupported;  // every mechanism that this program does not run, in words; empty: it runs
};

struct Checkpoint;
// `drafter` may be null.
ModelCard CardOf(const Checkpoint& checkpoint, const Checkpoint* drafter = nullptr);

// Throws CheckpointError that names the checkpoint where it takes no media of this kind.
void RequireTakes(const ModelCard& card, MediaKind kind);

}  // namespace percept
