// SPDX-License-Identifier: Apache-2.0
#include "engine/mechanisms.h"

#include <algorithm>
#include <set>

namespace percept {
namespace {

using std::to_string;

template <class Predicate>
int CountLayers(const TextConfig& text, Predicate predicate) {
  return static_cast<int>(std::count_if(text.layers.begin(), text.layers.end(), predicate));
}

// "256", or "6144 or 12288" where layers differ.
template <class Member>
std::string Values(const TextConfig& text, AttentionKind kind, Member member) {
  std::set<int> values;
  for (const LayerConfig& layer : text.layers) {
    if (layer.kind == kind) values.insert(layer.*member);
  }
  std::string words;
  for (const int value : values) words += (words.empty() ? "" : " or ") + to_string(value);
  return words;
}

std::string RopeText(const TextConfig& text, AttentionKind kind) {
  const auto it = std::find_if(text.layers.begin(), text.layers.end(),
                               [kind](const LayerConfig& layer) { return layer.kind == kind; });
  const RopeSpec& rope = text.ropes[static_cast<size_t>(it->rope_idx)];
  std::string words = "rotation base " + to_string(static_cast<int64_t>(rope.theta));
  if (rope.num_rotated_pairs() < rope.head_dim / 2) {
    words += " on " + to_string(rope.num_rotated_pairs()) + " of " + to_string(rope.head_dim / 2) + " pairs";
  }
  return words;
}

void DescribeAttention(const TextConfig& text, AttentionKind kind, std::vector<std::string>* lines) {
  const int num_layers = CountLayers(text, [kind](const LayerConfig& layer) { return layer.kind == kind; });
  if (num_layers == 0) return;
  const std::string name = kind == AttentionKind::kSliding
                               ? "attention to a window of " + to_string(text.sliding_window) + " tokens"
                               : "attention to all tokens";
  lines->push_back(name + " in " + to_string(num_layers) + " layers: " + to_string(text.num_heads) + " heads of " +
                   Values(text, kind, &LayerConfig::head_dim) + ", " + Values(text, kind, &LayerConfig::num_kv_heads) +
                   " of keys and values, " + RopeText(text, kind));
}

void DescribeMasks(const TextConfig& text, std::vector<std::string>* lines) {
  if (text.bidirectional == BidirectionalAttention::kMediaRuns) {
    lines->push_back("tokens of a picture see each other in layers with a window");
  }
  if (text.bidirectional == BidirectionalAttention::kAll) lines->push_back("all tokens see each other");
}

std::string FeedForwardText(const TextConfig& text) {
  std::set<int> widths;
  for (const LayerConfig& layer : text.layers) widths.insert(layer.mlp_width);
  std::string words;
  for (const int width : widths) words += (words.empty() ? "" : " or ") + to_string(width);
  return "feed-forward of width " + words;
}

std::string HeadText(const TextConfig& text) {
  if (!text.tied_embeddings) return "output matrix of its own";
  std::string words = "output matrix: the embedding table";
  if (text.drafter && text.drafter->num_centroids > 0) {
    words += ", of which " + to_string(text.drafter->num_selected_centroids) + " of " +
             to_string(text.drafter->num_centroids) + " clusters of tokens are looked at";
  }
  return words;
}

void DescribeText(const TextConfig& text, std::vector<std::string>* lines) {
  if (text.drafter) {
    lines->push_back("a drafter (MTP assistant) for a model of width " + to_string(text.drafter->backbone_hidden_size));
  }
  DescribeAttention(text, AttentionKind::kSliding, lines);
  DescribeAttention(text, AttentionKind::kFull, lines);
  const int num_k_eq_v = CountLayers(text, [](const LayerConfig& layer) { return layer.k_eq_v; });
  if (num_k_eq_v > 0) lines->push_back("values made from the keys' projection in " + to_string(num_k_eq_v) + " layers");
  int num_shared = 0;
  for (int i = 0; i < text.num_layers(); ++i) num_shared += text.owns_kv(i) ? 0 : 1;
  if (num_shared > 0) {
    lines->push_back(std::string("keys and values of ") + (text.drafter ? "that model" : "earlier layers") + " in " +
                     to_string(num_shared) + " layers");
  }
  DescribeMasks(text, lines);
  lines->push_back(FeedForwardText(text));
  if (text.experts) {
    lines->push_back(to_string(text.experts->num_experts) + " experts of width " + to_string(text.experts->width) +
                     " beside it, " + to_string(text.experts->num_experts_per_token) + " for each token");
  }
  if (text.ple_width > 0) lines->push_back("per-layer embeddings of width " + to_string(text.ple_width));
  lines->push_back(HeadText(text));
  if (text.logit_soft_cap > 0) {
    lines->push_back("logits capped at " + to_string(static_cast<int64_t>(text.logit_soft_cap)));
  }
  if (!text.weight_compression.empty()) lines->push_back("weights compressed by " + text.weight_compression);
}

std::string VisionText(const VisionConfig& vision) {
  if (vision.form == VisionForm::kDirectProjection) {
    return "pictures: a projection of cells of 48 x 48 pixels to width " + to_string(vision.width) + ", up to " +
           to_string(vision.position_rows) + " cells a side";
  }
  std::string words = "pictures: a tower of " + to_string(vision.num_layers) + " layers, width " +
                      to_string(vision.width) + ", " + to_string(vision.num_heads) + " heads of " +
                      to_string(vision.head_dim) + ", up to " + to_string(vision.position_rows) + " patches a side";
  if (vision.clipped_linears) words += ", linears with bounds";
  if (vision.standardize) words += ", standardized soft tokens";
  return words;
}

std::string AudioText(const AudioConfig& audio) {
  if (audio.form == AudioForm::kDirectProjection) {
    return "sound: a projection of frames of " + to_string(audio.projector_width) + " samples";
  }
  return "sound: a tower of " + to_string(audio.num_layers) + " layers, width " + to_string(audio.width) + ", " +
         to_string(audio.num_heads) + " heads" + (audio.clipped_linears ? ", linears with bounds" : "");
}

}  // namespace

std::vector<std::string> DescribeMechanisms(const ModelConfig& config) {
  std::vector<std::string> lines;
  DescribeText(config.text, &lines);
  if (config.text.drafter) return lines;
  lines.push_back(config.vision ? VisionText(*config.vision) : "no pictures");
  lines.push_back(config.audio ? AudioText(*config.audio) : "no sound");
  return lines;
}

}  // namespace percept
