// SPDX-License-Identifier: Apache-2.0
// Runs a PipelineCase and compares what comes of it with what it says.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/config/checked_graph.h"
#include "graph/run/graph.h"
#include "tests/support/edge_limits.h"
#include "tests/support/executors.h"
#include "tests/support/pipeline_case.h"
#include "tests/support/recorder.h"

// Runs a graph whose sinks write to the recorder.
using RunRecorded = std::function<percept::graph::RunResult(
    const percept::graph::CheckedGraph&, percept::graph::Executor&, Recorder&, percept::graph::GraphOptions)>;

inline percept::graph::CheckedGraph CheckCase(const PipelineCase& expected, const percept::graph::Registry& registry) {
  percept::graph::Arguments arguments;
  arguments.values = expected.arguments;
  arguments.implied = {{"model", "tiny"}};
  percept::graph::CheckedGraph checked =
      Check(Bind(percept::graph::ParsePipeline(expected.text, expected.name), arguments), registry);
  if (expected.limits) SetEdgeLimits(checked, *expected.limits);
  return checked;
}

inline const char* Name(percept::graph::RunStatus status) {
  switch (status) {
    case percept::graph::RunStatus::kFinished:
      return "finished";
    case percept::graph::RunStatus::kDrained:
      return "drained";
    case percept::graph::RunStatus::kCancelled:
      return "cancelled";
    case percept::graph::RunStatus::kFailed:
      return "failed";
  }
  return "";
}

// In the words of `#> count:`.
inline std::vector<std::string> CountsIn(const percept::graph::RunResult& result) {
  std::vector<std::string> counts;
  const auto add = [&counts](const std::string& what, uint64_t num) {
    if (num > 0) counts.push_back(what + " " + std::to_string(num));
  };
  add("lost", result.num_lost_items);
  for (const percept::graph::NodeCounts& node : result.nodes) {
    add(node.node + " unmatched", node.unmatched);
    add(node.node + " restarts", node.restarts);
    add(node.node + " retries", node.retries);
    for (const auto& [kind, num] : node.repairs) add(node.node + " " + kind, num);
  }
  for (const percept::graph::EdgeCounts& edge : result.edges) {
    for (const auto& [reason, num] : edge.drops) add(edge.edge + ": " + reason, num);
  }
  return counts;
}

inline void ExpectEdgesKeptTheirLimits(const PipelineCase& expected, const percept::graph::CheckedGraph& checked,
                                       const percept::graph::RunResult& result) {
  for (size_t i = 0; i < result.edges.size(); ++i) {
    const percept::graph::EdgeCounts& edge = result.edges[i];
    EXPECT_LE(edge.peak_packets, checked.edges[i].limits.packets) << edge.edge;
    // Of items with short names.
    const size_t beside = percept::graph::Packet::OverheadBytes() + percept::graph::Item("", 0, nullptr).bytes();
    EXPECT_LE(edge.peak_bytes, std::max(checked.edges[i].limits.bytes, expected.largest + beside)) << edge.edge;
  }
}

// The text itself; any number may stand where it says <bytes>.
inline testing::Matcher<std::string> Reads(const std::string& text) {
  constexpr std::string_view kAny = "<bytes>";
  if (text.find(kAny) == std::string::npos) return text;
  std::string pattern;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, kAny.size(), kAny) == 0) {
      pattern += "[0-9]+";
      i += kAny.size() - 1;
    } else {
      if (std::string_view("\\^$.|?*+()[]{}").find(text[i]) != std::string_view::npos) pattern += '\\';
      pattern += text[i];
    }
  }
  return testing::MatchesRegex(pattern);
}

inline void ExpectOutcome(const PipelineCase& expected, const percept::graph::CheckedGraph& checked,
                          const percept::graph::RunResult& result, const Recorder& recorder) {
  EXPECT_EQ(Name(result.status), expected.result);
  EXPECT_THAT(result.error ? result.error->message : "", Reads(expected.error));
  std::vector<std::string> items;
  for (const percept::graph::ErrorPayload& error : result.failed_items) {
    items.push_back(error.item + ": " + error.reason);
  }
  std::vector<testing::Matcher<std::string>> expected_items;
  for (const std::string& item : expected.items) expected_items.push_back(Reads(item));
  EXPECT_THAT(items, testing::UnorderedElementsAreArray(expected_items));
  EXPECT_EQ(result.num_failed_items, expected.items.size());
  ExpectEdgesKeptTheirLimits(expected, checked, result);
  // How far the others get before a fault stops the graph depends on the threads.
  if (expected.result == "finished") {
    EXPECT_EQ(recorder.All(), expected.sinks);
    EXPECT_THAT(CountsIn(result), testing::UnorderedElementsAreArray(expected.counts));
  } else {
    if (!expected.sinks.empty()) {
      EXPECT_EQ(recorder.All(), expected.sinks);
    }
    EXPECT_THAT(CountsIn(result), testing::IsSupersetOf(expected.counts));
  }
}

inline void ExpectRefusal(const PipelineCase& expected, const percept::graph::Registry& registry) {
  try {
    CheckCase(expected, registry);
    ADD_FAILURE() << "not refused";
  } catch (const percept::graph::DefinitionError& error) {
    EXPECT_THAT(error.what(), Reads(expected.error));
  }
}

// On every executor, with edges as they are and with edges that each say three times that they are full.
inline void ExpectCase(const PipelineCase& expected, const percept::graph::Registry& registry, const RunRecorded& run) {
  if (expected.result == "refused") {
    ExpectRefusal(expected, registry);
    return;
  }
  const percept::graph::CheckedGraph checked = CheckCase(expected, registry);
  EXPECT_EQ(checked.warnings, expected.warnings);
  for (const ExecutorCase& executor_case : AllExecutors()) {
    for (const int64_t forced_full : {0, 3}) {
      SCOPED_TRACE(executor_case.name + ", every edge says " + std::to_string(forced_full) + " times that it is full");
      const auto executor = executor_case.make();
      Recorder recorder;
      percept::graph::GraphOptions options;
      options.forced_full = forced_full;
      const percept::graph::RunResult result = run(checked, *executor, recorder, options);
      ExpectOutcome(expected, checked, result, recorder);
    }
  }
}

// The cases of a folder as parameters of a test, and what each is called.
inline std::vector<std::string> PipelineCaseNames(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const PipelineCase& found : FindPipelineCases(folder)) names.push_back(found.name);
  return names;
}

inline std::string PipelineTestName(const testing::TestParamInfo<std::string>& test) {
  std::string name = test.param.substr(0, test.param.find('.'));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

inline void ExpectOneCaseInTenToBeAnError(const std::filesystem::path& folder) {
  const std::vector<PipelineCase> cases = FindPipelineCases(folder);
  const auto num_errors =
      std::count_if(cases.begin(), cases.end(), [](const PipelineCase& found) { return !found.error.empty(); });
  EXPECT_GE(static_cast<size_t>(num_errors) * 10, cases.size());
}
