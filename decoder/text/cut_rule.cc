// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/cut_rule.h"

#include <utf8.h>

namespace percept {

void CutRule::AddMerge(std::string_view left, std::string_view right) {
  const char* last = left.data() + left.size();
  const char* first = right.data();
  const char32_t before = utf8::unchecked::prior(last);
  const char32_t after = utf8::unchecked::next(first);
  const size_t bit = BitOf(before, after);
  joins_[bit / 64] |= uint64_t{1} << (bit % 64);
}

}  // namespace percept
