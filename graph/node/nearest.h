// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "graph/node/value.h"

namespace percept::graph {

// The names nearest to a mistyped one, for the end of a message: "; nearest: a, b" (at most three, best first), or all
// of them, "; valid: a, b", where none is near and there are at most `kMaxListed`, or "".
inline constexpr size_t kMaxListed = 12;
std::string NearestNames(const std::string& wrong, const std::vector<std::string>& valid);

// Throws DefinitionError, with the nearest of the valid ones, for another key of `map`; `where` names the map in the
// message ("a condition").
void RefuseUnknownKeys(const Value& map, const std::string& where, const std::vector<std::string>& valid);

// The names of a list's entries.
template <class T>
std::vector<std::string> NamesOf(const std::vector<T>& list) {
  std::vector<std::string> names;
  for (const T& entry : list) names.push_back(entry.name);
  return names;
}

}  // namespace percept::graph
