// SPDX-License-Identifier: Apache-2.0
#include "decoder/model/embedding.h"

#include <algorithm>
#include <string>

#include "kernels/core/error.h"
#include "kernels/ops/gather.h"

namespace percept {
namespace {

// ids: [rows of all segments].
void TakeIds(const TextConfig& config, std::span<const Segment> segments, std::span<int32_t> ids) {
  const int32_t pad_id = config.token_ids.pad.value_or(0);
  auto next = ids.begin();
  for (const Segment& segment : segments) {
    for (const int32_t id : segment.ids) {
      if (id < 0 || id >= config.vocab_size) {
        throw ArgumentError("decoder step: token id " + std::to_string(id) + " is outside the vocabulary of " +
                            std::to_string(config.vocab_size));
      }
      *next++ = config.is_placeholder(id) ? pad_id : id;
    }
  }
}

}  // namespace

void EmbedTokens(const ForwardPass& pass, std::span<const Segment> segments) {
  Activations& act = pass.activations;
  const MatrixView x = pass.Rows(act.x);  // [rows, hidden]
  const std::span<int32_t> ids(act.ids.data(), static_cast<size_t>(x.rows));
  TakeIds(pass.config, segments, ids);
  ops::GatherRows(pass.context, pass.weights.embed_tokens, ids, 0, pass.weights.embedding_scale, x);
  int64_t first_row = 0;
  for (const Segment& segment : segments) {
    for (const SoftRows& soft : segment.soft_rows) {
      for (int64_t i = 0; i < soft.rows.rows; ++i) {
        std::copy_n(soft.rows.row(i), x.cols, x.row(first_row + soft.first_row + i));
      }
    }
    first_row += static_cast<int64_t>(segment.ids.size());
  }
  pass.Show(ForwardStage::kDecoderInput, -1, x);
}

}  // namespace percept
