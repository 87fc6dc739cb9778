// SPDX-License-Identifier: Apache-2.0
#include "engine/model_card.h"

#include "engine/checkpoint.h"

namespace percept {

ModelCard CardOf(const Checkpoint& checkpoint) {
  ModelCard card;
  card.name = std::filesystem::weakly_canonical(checkpoint.folder).filename().string();
  card.path = checkpoint.folder.string();
  for (const TensorEntry& entry : checkpoint.tensors->entries()) {
    card.num_parameters += entry.elements();
    card.dtypes[entry.dtype] += entry.elements();
    ++card.num_tensors;
  }
  card.file_bytes = checkpoint.tensors->file_bytes();
  card.text = checkpoint.config.text;
  card.num_vision_layers = checkpoint.config.vision ? checkpoint.config.vision->num_layers : 0;
  card.num_audio_layers = checkpoint.config.audio ? checkpoint.config.audio->num_layers : 0;
  card.default_image_budget = checkpoint.processor.image_budget;
  card.default_frame_budget = checkpoint.processor.video_budget;
  card.unsupported = UnsupportedMechanisms(checkpoint);
  return card;
}

}  // namespace percept
