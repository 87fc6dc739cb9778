// SPDX-License-Identifier: Apache-2.0
#include "decoder/model/text_decoder.h"

#include <utility>

#include "decoder/model/embedding.h"
#include "decoder/model/forward_pass.h"
#include "decoder/model/layer.h"
#include "decoder/model/per_layer_embedding.h"
#include "kernels/core/check.h"
#include "kernels/ops/elementwise.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/rms_norm.h"

namespace percept {
namespace {

int LastLayerWithKeys(const TextConfig& config) {
  int last = -1;
  for (int layer_idx = 0; layer_idx < config.num_layers(); ++layer_idx) {
    last = config.owns_kv(layer_idx) ? layer_idx : last;
  }
  return last;
}

// final norm, output matrix, soft cap (spec text-decoder 3.7)
ForwardOutput Logits(const ForwardPass& pass) {
  Activations& act = pass.activations;
  const MatrixView hidden = pass.Rows(act.hidden);  // [output rows, hidden]
  const MatrixView logits = pass.Rows(act.logits);  // [output rows, vocab]
  if (pass.num_rows() == 0) {
    return {hidden, logits};
  }
  ops::RmsNorm(pass.context, pass.Rows(act.x), hidden.cols, pass.weights.final_norm.data(), pass.eps(), hidden);
  pass.Show(ForwardStage::kFinalNorm, -1, hidden);
  ops::Linear(pass.context, pass.weights.lm_head, hidden, logits, act.scratch);
  if (pass.config.logit_soft_cap > 0) {
    ops::SoftCap(pass.context, logits, static_cast<float>(pass.config.logit_soft_cap));
  }
  return {hidden, logits};
}

}  // namespace

TextDecoder::TextDecoder(const TextConfig& config, TextWeights weights, const KernelContext& context)
    : config_(config),
      weights_(std::move(weights)),
      context_(context),
      last_layer_with_keys_(LastLayerWithKeys(config)) {
  PERCEPT_CHECK(weights_.layers.size() == config_.layers.size() && last_layer_with_keys_ >= 0);
}

ForwardOutput TextDecoder::Forward(std::span<const Segment> segments, Activations& activations,
                                   ForwardObserver* observer) const {
  const ForwardPass pass{context_, config_, weights_, activations, observer};
  activations.rows.Plan(segments);
  EmbedTokens(pass, segments);
  if (weights_.per_layer.has_value()) {
    PerLayerEmbeddings(pass);
  }
  for (int layer_idx = 0; layer_idx < config_.num_layers() && pass.num_rows() > 0; ++layer_idx) {
    RunLayer(pass, layer_idx, observer == nullptr && layer_idx == last_layer_with_keys_);
  }
  if (observer != nullptr) {
    activations.KeepOutputRows();
  }
  const ForwardOutput output = Logits(pass);
  for (const Segment& segment : segments) {
    segment.cache->Advance(static_cast<int64_t>(segment.ids.size()));
  }
  return output;
}

}  // namespace percept
