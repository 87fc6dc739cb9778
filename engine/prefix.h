// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "decoder/state/kv_snapshot.h"
#include "decoder/text/prompt.h"
#include "engine/request.h"

namespace percept {

// The first rows of a prompt and what a cache held of them.
struct Prefix {
  // The first num_rows of a request; no medium is cut.
  Prefix(const SequenceRequest& request, int64_t num_rows);

  int64_t num_rows() const { return static_cast<int64_t>(ids.size()); }
  // The request begins with these rows: the same ids, and media of the same content at the same places, none of which
  // goes on behind them.
  bool Begins(const SequenceRequest& request) const;
  int64_t size_bytes() const;

  std::vector<int32_t> ids;
  std::vector<SoftSpan> spans;
  std::vector<std::shared_ptr<const SoftTokens>> media;  // of the spans
  int priority = 0;                                      // of the sequence that computes it
  std::unique_ptr<KvSnapshot> snapshot;                  // null once it was thrown out
};

// The rows of a prompt at which it may be worth while to keep what came before, ascending: in front of the first
// medium, behind each medium (a video is one), and where the request says; of these, as many rows as are not computed
// in no time.
std::vector<int64_t> CutRows(const SequenceRequest& request);

}  // namespace percept
