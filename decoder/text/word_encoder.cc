// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/word_encoder.h"

#include <algorithm>

#include "decoder/text/utf8.h"
#include "kernels/core/check.h"

namespace percept {

void WordEncoder::AddSymbol(int32_t id) {
  const int32_t idx = static_cast<int32_t>(symbols_.size());
  symbols_.push_back({id, idx - 1, idx + 1});
}

void WordEncoder::Split(std::string_view word) {
  symbols_.clear();
  while (!word.empty()) {
    const Utf8Prefix prefix = ReadUtf8(word);
    PERCEPT_CHECK(prefix.state == Utf8State::kComplete);
    const std::string_view code_point = word.substr(0, prefix.num_bytes);
    word.remove_prefix(prefix.num_bytes);
    if (const int32_t id = vocabulary_.code_point_id(code_point); id >= 0) {
      AddSymbol(id);
    } else {
      for (char byte : code_point) AddSymbol(vocabulary_.byte_id(static_cast<uint8_t>(byte)));
    }
  }
  if (!symbols_.empty()) symbols_.back().next = -1;
}

bool WordEncoder::LaterThan(const Candidate& a, const Candidate& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
}

void WordEncoder::AddCandidate(int32_t left) {
  const int32_t right = symbols_[left].next;
  if (right < 0) return;
  const int32_t left_id = symbols_[left].id;
  const int32_t right_id = symbols_[right].id;
  const Merge* merge = merges_.Find(left_id, right_id);
  if (merge == nullptr) return;
  heap_.push_back({merge->rank, left, left_id, right_id, merge->result});
}

void WordEncoder::MergeAll() {
  heap_.clear();
  for (int32_t left = 0; left < static_cast<int32_t>(symbols_.size()); ++left) AddCandidate(left);
  std::make_heap(heap_.begin(), heap_.end(), LaterThan);
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), LaterThan);
    const Candidate candidate = heap_.back();
    heap_.pop_back();
    Symbol& left = symbols_[candidate.left];
    // An entry is stale once either side has been joined to something else.
    if (left.id != candidate.left_id || left.next < 0 || symbols_[left.next].id != candidate.right_id) continue;
    Symbol& right = symbols_[left.next];
    left.id = candidate.result;
    right.id = -1;
    left.next = right.next;
    if (left.next >= 0) symbols_[left.next].previous = candidate.left;
    for (int32_t changed : {left.previous, candidate.left}) {
      if (changed < 0) continue;
      const size_t num_candidates = heap_.size();
      AddCandidate(changed);
      if (heap_.size() > num_candidates) std::push_heap(heap_.begin(), heap_.end(), LaterThan);
    }
  }
}

void WordEncoder::Append(std::string_view word, std::vector<int32_t>* ids) {
  if (const std::span<const int32_t> known = cache_.Find(word); !known.empty()) {
    ids->insert(ids->end(), known.begin(), known.end());
    return;
  }
  const size_t first = ids->size();
  Encode(word, ids);
  cache_.Keep(word, std::span(*ids).subspan(first));
}

void WordEncoder::Encode(std::string_view word, std::vector<int32_t>* ids) {
  Split(word);
  MergeAll();
  for (const Symbol& symbol : symbols_) {
    if (symbol.id >= 0) ids->push_back(symbol.id);
  }
}

}  // namespace percept
