// SPDX-License-Identifier: Apache-2.0
#include "decoder/config/drafter_rules.h"

#include <algorithm>
#include <vector>

#include "kernels/core/error.h"
#include "kernels/core/quoted.h"

namespace percept {
namespace {

using std::to_string;

std::string Joined(const std::vector<std::string>& reasons) {
  std::string text;
  for (const std::string& reason : reasons) {
    text.append(text.empty() ? "" : ", ").append(reason);
  }
  return text;
}

// Mechanisms of text decoders that no drafter has (spec text-decoder 1.3), and heads that do not add up.
std::vector<std::string> OddMechanisms(const TextConfig& drafter) {
  std::vector<std::string> odd;
  const auto layers_differ = [](const LayerConfig& a, const LayerConfig& b) { return a.mlp_width != b.mlp_width; };
  if (drafter.ple_width > 0) odd.emplace_back("per-layer embeddings (hidden_size_per_layer_input)");
  if (drafter.experts) odd.emplace_back("experts (enable_moe_block)");
  if (std::adjacent_find(drafter.layers.begin(), drafter.layers.end(), layers_differ) != drafter.layers.end()) {
    odd.emplace_back("feed-forward layers of several widths (use_double_wide_mlp)");
  }
  if (!drafter.tied_embeddings) odd.emplace_back("an output matrix of its own (tie_word_embeddings)");
  if (!drafter.weight_compression.empty()) {
    odd.push_back("compressed weights (quant_method " + Quoted(drafter.weight_compression) + ")");
  }
  const int num_centroids = drafter.drafter->num_centroids;
  if (num_centroids > 0 && drafter.vocab_size % num_centroids != 0) {
    odd.push_back(to_string(num_centroids) + " centroids (num_centroids), which do not divide the vocabulary of " +
                  to_string(drafter.vocab_size));
  }
  if (drafter.sliding_window < 2) odd.emplace_back("a window of one token (sliding_window), in which it sees nothing");
  return odd;
}

void Compare(const std::string& what, int64_t of_drafter, int64_t of_target, std::vector<std::string>* differences) {
  if (of_drafter != of_target) {
    differences->push_back(what + " " + to_string(of_drafter) + ", not " + to_string(of_target));
  }
}

void CompareLayer(const TextConfig& target, const TextConfig& drafter, const LayerConfig& layer,
                  std::vector<std::string>* differences) {
  const std::string name = layer.kind == AttentionKind::kSliding ? "sliding layers" : "full layers";
  const int layer_idx = LayersToDraftFrom(target)[static_cast<size_t>(layer.kind)];
  if (layer_idx < 0) {
    differences->push_back(name + ", which the model has not");
    return;
  }
  const LayerConfig& read = target.layers[static_cast<size_t>(layer_idx)];
  Compare(name + " with heads of width", layer.head_dim, read.head_dim, differences);
  Compare(name + " with this many key and value heads:", layer.num_kv_heads, read.num_kv_heads, differences);
  const RopeSpec& own_rope = drafter.ropes[static_cast<size_t>(layer.rope_idx)];
  const RopeSpec& read_rope = target.ropes[static_cast<size_t>(read.rope_idx)];
  if (own_rope.theta != read_rope.theta || own_rope.num_rotated_pairs() != read_rope.num_rotated_pairs()) {
    differences->push_back("another rotation in " + name);
  }
}

// Of each kind the first layer that differs speaks for the others.
void CompareLayers(const TextConfig& target, const TextConfig& drafter, AttentionKind kind,
                   std::vector<std::string>* differences) {
  const size_t before = differences->size();
  for (const LayerConfig& layer : drafter.layers) {
    if (layer.kind == kind && differences->size() == before) CompareLayer(target, drafter, layer, differences);
  }
}

}  // namespace

std::array<int, 2> LayersToDraftFrom(const TextConfig& target) {
  std::array<int, 2> layers = {-1, -1};
  for (int i = 0; i < target.num_layers(); ++i) {
    if (target.owns_kv(i)) layers[static_cast<size_t>(target.layers[static_cast<size_t>(i)].kind)] = i;
  }
  return layers;
}

void RequireDrafterFor(const TextConfig& target, const std::string& target_file, const TextConfig& drafter,
                       const std::string& drafter_file) {
  if (!drafter.drafter) {
    throw CheckpointError(drafter_file + ": no drafter, it names no model to draft for (backbone_hidden_size)");
  }
  if (const std::vector<std::string> odd = OddMechanisms(drafter); !odd.empty()) {
    throw CheckpointError(drafter_file + ": this version cannot run a drafter with " + Joined(odd));
  }
  std::vector<std::string> differences;
  Compare("made for width", drafter.drafter->backbone_hidden_size, target.hidden_size, &differences);
  Compare("a vocabulary of", drafter.vocab_size, target.vocab_size, &differences);
  Compare("a window of", drafter.sliding_window, target.sliding_window, &differences);
  CompareLayers(target, drafter, AttentionKind::kSliding, &differences);
  CompareLayers(target, drafter, AttentionKind::kFull, &differences);
  if (!differences.empty()) {
    throw CheckpointError(drafter_file + ": the drafter of another model than " + target_file + ": " +
                          Joined(differences));
  }
}

}  // namespace percept
