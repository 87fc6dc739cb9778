// SPDX-License-Identifier: Apache-2.0
#include "decoder/model/embedding.h"

#include <algorithm>
#include <string>

#include "kernels/core/error.h"
#include "kernels/ops/gather.h"

namespace percept {
namespace {

bool IsPlaceholder(const ConfigTokenIds& tokens, int32_t id) {
  return id == tokens.image || id == tokens.audio || id == tokens.video;
}

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
      *next++ = IsPlaceholder(config.token_ids, id) ? pad_id : id;
    }
  }
}

void CheckSoftRows(const TextConfig& config, const Segment& segment) {
  int64_t next_free = 0;
  for (const SoftRows& soft : segment.soft_rows) {
    const int64_t end = soft.first_row + soft.rows.rows;
    if (soft.first_row < next_free || end > static_cast<int64_t>(segment.ids.size())) {
      throw ArgumentError("decoder step: soft tokens for rows " + std::to_string(soft.first_row) + " to " +
                          std::to_string(end) + " of a segment of " + std::to_string(segment.ids.size()) +
                          " overlap others or lie outside");
    }
    if (soft.rows.cols != config.hidden_size) {
      throw ArgumentError("decoder step: soft tokens of width " + std::to_string(soft.rows.cols) + ", expected " +
                          std::to_string(config.hidden_size));
    }
    for (int64_t row = soft.first_row; row < end; ++row) {
      const int32_t id = segment.ids[static_cast<size_t>(row)];
      if (!IsPlaceholder(config.token_ids, id)) {
        throw ArgumentError("decoder step: a soft token for row " + std::to_string(row) + ", whose id " +
                            std::to_string(id) + " is no placeholder");
      }
    }
    next_free = end;
  }
}

}  // namespace

void EmbedTokens(const ForwardPass& pass, std::span<const Segment> segments) {
  Activations& act = pass.activations;
  const MatrixView x = pass.Rows(act.x);  // [rows, hidden]
  const std::span<int32_t> ids(act.ids.data(), static_cast<size_t>(x.rows));
  TakeIds(pass.config, segments, ids);
  for (const Segment& segment : segments) {
    CheckSoftRows(pass.config, segment);
  }
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
