// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "decoder/text/merge_table.h"
#include "decoder/text/vocabulary.h"
#include "decoder/text/word_cache.h"

namespace percept {

// Byte-pair encoding of one word after another, O(n log n) in a word's code points. Keeps its scratch, and in a long
// text short words with their ids, between words.
class WordEncoder {
 public:
  // Vocabulary and merges outlive the encoder. num_text_bytes: of all words to come, about.
  WordEncoder(const Vocabulary& vocabulary, const MergeTable& merges, size_t num_text_bytes)
      : vocabulary_(vocabulary), merges_(merges), cache_(num_text_bytes) {}

  // Appends the word's ids. The word is valid UTF-8 of less than 2 GiB, with spaces already written as marks.
  void Append(std::string_view word, std::vector<int32_t>* ids);

 private:
  // A piece in the doubly linked list of those left; id < 0: joined to the one before.
  struct Symbol {
    int32_t id;
    int32_t previous;
    int32_t next;
  };
  struct Candidate {
    uint32_t rank;
    int32_t left;  // into symbols_
    int32_t left_id;
    int32_t right_id;
    int32_t result;
  };

  void Encode(std::string_view word, std::vector<int32_t>* ids);
  void Split(std::string_view word);
  void AddSymbol(int32_t id);
  void AddCandidate(int32_t left);
  void MergeAll();
  static bool LaterThan(const Candidate& a, const Candidate& b);

  const Vocabulary& vocabulary_;
  const MergeTable& merges_;
  WordCache cache_;
  std::vector<Symbol> symbols_;
  std::vector<Candidate> heap_;
};

}  // namespace percept
