// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <utility>

#include "graph/queue/drop_reason.h"
#include "graph/queue/edge_limits.h"
#include "graph/queue/join_spec.h"

namespace percept::graph {
namespace {

template <class T, size_t kNum>
using Words = std::array<std::pair<T, const char*>, kNum>;

constexpr Words<DropPolicy, 5> kPolicies{{{DropPolicy::kBlock, "block"},
                                          {DropPolicy::kDropOldest, "drop_oldest"},
                                          {DropPolicy::kDropNewest, "drop_newest"},
                                          {DropPolicy::kLatest, "latest"},
                                          {DropPolicy::kFail, "fail"}}};

constexpr Words<DropReason, kNumDropReasons> kReasons{{{DropReason::kFullOldest, "full_oldest"},
                                                       {DropReason::kFullNewest, "full_newest"},
                                                       {DropReason::kLatest, "latest"},
                                                       {DropReason::kGroup, "group"},
                                                       {DropReason::kLate, "late"},
                                                       {DropReason::kOutside, "outside"},
                                                       {DropReason::kStall, "stall"}}};

constexpr Words<JoinKind, 4> kKinds{{{JoinKind::kSettled, "settled"},
                                     {JoinKind::kLatest, "latest"},
                                     {JoinKind::kWindow, "window"},
                                     {JoinKind::kNearest, "nearest"}}};

template <class T, size_t kNum>
const char* WordOf(const Words<T, kNum>& words, T value) {
  for (const auto& [each, word] : words) {
    if (each == value) return word;
  }
  return "unknown";
}

template <class T, size_t kNum>
std::optional<T> ValueOf(const Words<T, kNum>& words, std::string_view text) {
  for (const auto& [value, word] : words) {
    if (text == word) return value;
  }
  return std::nullopt;
}

template <class T, size_t kNum>
std::vector<std::string> AllOf(const Words<T, kNum>& words) {
  std::vector<std::string> all;
  for (const auto& [value, word] : words) all.emplace_back(word);
  return all;
}

}  // namespace

const char* ToString(DropPolicy policy) { return WordOf(kPolicies, policy); }
std::optional<DropPolicy> ParseDropPolicy(std::string_view word) { return ValueOf(kPolicies, word); }
std::vector<std::string> DropPolicyWords() { return AllOf(kPolicies); }

const char* ToString(DropReason reason) { return WordOf(kReasons, reason); }

const char* ToString(JoinKind kind) { return WordOf(kKinds, kind); }
std::optional<JoinKind> ParseJoinKind(std::string_view word) { return ValueOf(kKinds, word); }
std::vector<std::string> JoinKindWords() { return AllOf(kKinds); }

}  // namespace percept::graph
