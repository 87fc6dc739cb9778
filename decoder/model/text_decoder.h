// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "decoder/config/text_config.h"
#include "decoder/model/forward_observer.h"
#include "decoder/model/weights.h"
#include "decoder/state/activations.h"
#include "decoder/state/segment.h"
#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"

namespace percept {

// The output rows of all segments, in segment order. Valid until the next Forward with the same Activations.
struct ForwardOutput {
  ConstMatrixView hidden;  // [output rows, hidden] after the final norm: what a drafter starts from
  MatrixView logits;       // [output rows, vocab] after the soft cap; a sampler may change them
};

// A text decoder: configuration and weights, const after construction. The forward pass is that of spec text-decoder
// section 3; which mechanisms take part is the configuration's.
class TextDecoder {
 public:
  // `config` has passed RequireSupported.
  TextDecoder(const TextConfig& config, TextWeights weights, const KernelContext& context);

  // One step over rows of several sequences. Linear layers run over all rows at once, attention per segment. Layers
  // that read a donor's keys and values run for output rows only. Allocates nothing. On return every cache holds its
  // segment's positions. Throws ArgumentError, with caches untouched, when the segments do not fit the limits, a
  // cache's room or the vocabulary, when two segments share a cache, or when soft rows do not lie on placeholders.
  ForwardOutput Forward(std::span<const Segment> segments, Activations& activations,
                        ForwardObserver* observer = nullptr) const;

  const TextConfig& config() const { return config_; }
  const TextWeights& weights() const { return weights_; }
  const KernelContext& context() const { return context_; }

 private:
  TextConfig config_;
  TextWeights weights_;
  KernelContext context_;
  int last_layer_with_keys_;
};

}  // namespace percept
