// SPDX-License-Identifier: Apache-2.0
#include "engine/model_card.h"

#include "decoder/model/weights.h"
#include "engine/checkpoint.h"
#include "engine/mechanisms.h"

namespace percept {

namespace {

std::string TemplateText(const Checkpoint& checkpoint) {
  if (!checkpoint.has_chat_template) return "none in the checkpoint: the format without an empty thought";
  return checkpoint.closed_thought ? "answers without thinking begin with a closed, empty thought"
                                   : "answers without thinking begin at once";
}

}  // namespace

ModelCard CardOf(const Checkpoint& checkpoint) {
  ModelCard card;
  const std::filesystem::path place = std::filesystem::weakly_canonical(checkpoint.path);
  card.name = (checkpoint.gguf != nullptr ? place.stem() : place.filename()).string();
  card.path = checkpoint.path.string();
  card.is_gguf = checkpoint.gguf != nullptr;
  for (const StoredTensor& tensor : checkpoint.stored) {
    card.num_parameters += tensor.elements;
    card.dtypes[tensor.dtype] += tensor.elements;
    ++card.num_tensors;
  }
  card.file_bytes = checkpoint.file_bytes;
  card.text = checkpoint.config.text;
  card.num_vision_layers = checkpoint.config.vision ? checkpoint.config.vision->num_layers : 0;
  card.num_audio_layers = checkpoint.config.audio ? checkpoint.config.audio->num_layers : 0;
  card.default_image_budget = checkpoint.processor.image_budget;
  card.default_frame_budget = checkpoint.processor.video_budget;
  card.mechanisms = DescribeMechanisms(checkpoint.config);
  card.unused_tensors = UnusedTensors(checkpoint.config.text, *checkpoint.tensors);
  card.chat_template = TemplateText(checkpoint);
  card.unsupported = UnsupportedMechanisms(checkpoint);
  return card;
}

}  // namespace percept
