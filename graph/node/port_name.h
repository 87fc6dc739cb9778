// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace percept::graph {

// Whether two port names are the same. A loop, as every packet is sent and read by the name of a port: names are a few
// letters long, and for those a call of memcmp costs more than the comparison.
inline bool IsSamePort(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

}  // namespace percept::graph
