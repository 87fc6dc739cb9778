// SPDX-License-Identifier: Apache-2.0
#include "graph/node/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace percept::graph {
namespace {

// Levenshtein distance; an exchange of two neighbours counts one (optimal string alignment).
size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> before(b.size() + 1), previous(b.size() + 1), current(b.size() + 1);
  std::iota(previous.begin(), previous.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before[j - 2] + 1);
      }
    }
    std::swap(before, previous);
    std::swap(previous, current);
  }
  return previous[b.size()];
}

std::string Join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::string NearestNames(const std::string& wrong, const std::vector<std::string>& valid) {
  // Names come from files: a key of a megabyte is not worth a table of distances.
  constexpr size_t kMaxLength = 64;
  std::vector<std::pair<size_t, std::string>> near;
  for (const std::string& name : valid) {
    if (wrong.size() > kMaxLength || name.size() > kMaxLength) continue;
    const size_t distance = EditDistance(wrong, name);
    if (distance <= std::max<size_t>(1, name.size() / 4) && distance < name.size()) near.emplace_back(distance, name);
  }
  std::sort(near.begin(), near.end());
  if (near.size() > 3) near.resize(3);
  std::vector<std::string> names;
  for (const auto& [distance, name] : near) names.push_back(name);
  if (!names.empty()) return "; nearest: " + Join(names);
  if (valid.empty() || valid.size() > kMaxListed) return "";
  return "; valid: " + Join(valid);
}

void RefuseUnknownKeys(const Value& map, const std::string& where, const std::vector<std::string>& valid) {
  for (const Value::Entry& entry : map.entries()) {
    if (std::find(valid.begin(), valid.end(), entry.key) != valid.end()) continue;
    throw DefinitionError(entry.key_position,
                          "unknown key '" + entry.key + "' in " + where + NearestNames(entry.key, valid));
  }
}

}  // namespace percept::graph
