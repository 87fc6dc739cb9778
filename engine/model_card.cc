// SPDX-License-Identifier: Apache-2.0
#include "engine/model_card.h"

#include <numeric>

#include "decoder/model/weights.h"
#include "engine/checkpoint.h"
#include "engine/mechanisms.h"
#include "kernels/core/error.h"

namespace percept {

namespace {

std::string TemplateText(const Checkpoint& checkpoint) {
  if (!checkpoint.has_chat_template) return "none in the checkpoint: the format without an empty thought";
  return checkpoint.closed_thought ? "answers without thinking begin with a closed, empty thought"
                                   : "answers without thinking begin at once";
}

int64_t NumParameters(const Checkpoint& checkpoint) {
  return std::accumulate(checkpoint.stored.begin(), checkpoint.stored.end(), int64_t{0},
                         [](int64_t sum, const StoredTensor& tensor) { return sum + tensor.elements; });
}

}  // namespace

ModelCard CardOf(const Checkpoint& checkpoint, const Checkpoint* drafter) {
  ModelCard card;
  const std::filesystem::path place = std::filesystem::weakly_canonical(checkpoint.path);
  card.name = (checkpoint.gguf != nullptr ? place.stem() : place.filename()).string();
  card.path = checkpoint.path.string();
  card.is_gguf = checkpoint.gguf != nullptr;
  card.has_mmproj = checkpoint.has_mmproj;
  card.num_parameters = NumParameters(checkpoint);
  for (const StoredTensor& tensor : checkpoint.stored) {
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
  if (drafter != nullptr) {
    card.drafter = DrafterCard{.path = drafter->path.string(),
                               .num_parameters = NumParameters(*drafter),
                               .file_bytes = drafter->file_bytes,
                               .text = drafter->config.text};
  }
  card.unsupported = UnsupportedMechanisms(checkpoint);
  return card;
}

void RequireTakes(const ModelCard& card, MediaKind kind) {
  const bool is_sound = kind == MediaKind::kAudio;
  if ((is_sound ? card.text.audio : card.text.vision) != EncoderKind::kNone) return;
  const std::string refusal = card.path + ": this model takes no " + (is_sound ? "sound" : "pictures") + ": ";
  const bool has_others = card.text.audio != EncoderKind::kNone || card.text.vision != EncoderKind::kNone;
  if (!card.is_gguf || (has_others && !card.has_mmproj)) {
    throw CheckpointError(refusal + "it has no " + (is_sound ? "audio" : "vision") + " encoder");
  }
  if (card.has_mmproj) {
    throw CheckpointError(refusal + "its mmproj file has no " + (is_sound ? "audio" : "vision") + " encoder");
  }
  throw CheckpointError(refusal +
                        "its GGUF file has no encoders, and no mmproj file is given (--mmproj) or in its folder");
}

}  // namespace percept
