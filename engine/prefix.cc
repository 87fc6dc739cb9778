// SPDX-License-Identifier: Apache-2.0
#include "engine/prefix.h"

#include <algorithm>
#include <cstring>

namespace percept {
namespace {

constexpr int64_t kFewestRows = 32;  // fewer are computed as fast as they are put back

size_t NumSpansBefore(const std::vector<SoftSpan>& spans, int64_t row) {
  const auto end =
      std::find_if(spans.begin(), spans.end(), [&](const SoftSpan& span) { return span.first_row >= row; });
  return static_cast<size_t>(end - spans.begin());
}

bool HaveSameContent(const SoftTokens& a, const SoftTokens& b) {
  if (&a == &b) {
    return true;
  }
  if (a.rows.rows() != b.rows.rows() || a.rows.cols() != b.rows.cols()) {
    return false;
  }
  const ConstMatrixView a_rows = a.rows.view();
  const ConstMatrixView b_rows = b.rows.view();
  for (int64_t row = 0; row < a_rows.rows; ++row) {
    if (std::memcmp(a_rows.row(row), b_rows.row(row), static_cast<size_t>(a_rows.cols) * sizeof(float)) != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace

Prefix::Prefix(const SequenceRequest& request, int64_t num_rows)
    : ids(request.prompt.ids.begin(), request.prompt.ids.begin() + num_rows), priority(request.urgency.priority) {
  const auto num_spans = static_cast<std::ptrdiff_t>(NumSpansBefore(request.prompt.spans, num_rows));
  spans.assign(request.prompt.spans.begin(), request.prompt.spans.begin() + num_spans);
  media.assign(request.media.begin(), request.media.begin() + num_spans);
}

bool Prefix::Begins(const SequenceRequest& request) const {
  const Prompt& prompt = request.prompt;
  if (prompt.ids.size() < ids.size() || !std::equal(ids.begin(), ids.end(), prompt.ids.begin()) ||
      NumSpansBefore(prompt.spans, num_rows()) != spans.size()) {
    return false;
  }
  for (size_t i = 0; i < spans.size(); ++i) {
    if (prompt.spans[i].first_row != spans[i].first_row || prompt.spans[i].num_rows != spans[i].num_rows ||
        !HaveSameContent(*media[i], *request.media[i])) {
      return false;
    }
  }
  return true;
}

int64_t Prefix::size_bytes() const {
  auto bytes = static_cast<int64_t>(ids.size() * sizeof(ids[0]));
  for (const auto& medium : media) {
    bytes += static_cast<int64_t>(medium->size_bytes());
  }
  return bytes + (snapshot == nullptr ? 0 : snapshot->size_bytes());
}

std::vector<int64_t> CutRows(const SequenceRequest& request) {
  const std::vector<SoftSpan>& spans = request.prompt.spans;
  std::vector<int64_t> rows = request.cut_rows;
  if (!spans.empty()) {
    rows.push_back(spans.front().first_row);
  }
  for (size_t i = 0; i < spans.size(); ++i) {
    if (i + 1 == spans.size() || spans[i + 1].media_idx != spans[i].media_idx) {
      rows.push_back(int64_t{spans[i].first_row} + spans[i].num_rows);
    }
  }
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  std::erase_if(rows, [](int64_t row) { return row < kFewestRows; });
  return rows;
}

}  // namespace percept
