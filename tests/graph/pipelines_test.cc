// SPDX-License-Identifier: Apache-2.0
// Every file of tests/pipelines/graph on every executor: what it records, or the fault it is refused or stopped for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/config/checked_graph.h"
#include "graph/run/graph.h"
#include "tests/support/executors.h"
#include "tests/support/pipeline_case.h"
#include "tests/support/shared_dir.h"
#include "tests/support/word_nodes.h"

namespace percept::graph {
namespace {

std::filesystem::path CaseFolder() { return SourceDir() / "tests/pipelines/graph"; }

std::vector<std::string> CaseNames() {
  std::vector<std::string> names;
  for (const PipelineCase& found : FindPipelineCases(CaseFolder())) names.push_back(found.name);
  return names;
}

CheckedGraph CheckCase(const PipelineCase& expected, const Registry& registry) {
  Arguments arguments;
  arguments.values = expected.arguments;
  arguments.implied = {{"model", "tiny"}};
  return Check(Bind(ParsePipeline(expected.text, expected.name), arguments), registry);
}

const char* Name(RunStatus status) {
  switch (status) {
    case RunStatus::kFinished:
      return "finished";
    case RunStatus::kCancelled:
      return "cancelled";
    case RunStatus::kFailed:
      return "failed";
  }
  return "";
}

void RunCase(const PipelineCase& expected, const CheckedGraph& checked, Executor& executor) {
  Recorder recorder;
  FakeEngine engine(FakeEngine::Pace::kFree);
  Services services;
  services.Add(recorder);
  services.Add(engine);
  GraphOptions options;
  options.edge_limits = {expected.max_packets, expected.max_bytes};
  const RunResult result = Graph(checked, executor, services, options).Run();

  EXPECT_EQ(Name(result.status), expected.result);
  EXPECT_EQ(result.error ? result.error->message : "", expected.error);
  std::vector<std::string> items;
  for (const ErrorPayload& error : result.failed_items) items.push_back(error.item + ": " + error.reason);
  EXPECT_THAT(items, testing::UnorderedElementsAreArray(expected.items));
  EXPECT_EQ(result.num_failed_items, expected.items.size());
  // How far the sinks get before a fault elsewhere stops the graph depends on the threads.
  if (expected.result == "finished") {
    EXPECT_EQ(recorder.All(), expected.sinks);
  }
  for (const EdgeCounts& edge : result.edges) {
    EXPECT_LE(edge.peak_packets, expected.max_packets) << edge.edge;
    EXPECT_LE(edge.peak_bytes, std::max(expected.max_bytes, expected.largest)) << edge.edge;
  }
}

class PipelineTest : public testing::TestWithParam<std::string> {};

TEST_P(PipelineTest, DoesWhatItSays) {
  const PipelineCase expected = ReadPipelineCase(CaseFolder() / GetParam());
  const Registry registry = WordRegistry();
  if (expected.result == "refused") {
    try {
      CheckCase(expected, registry);
      ADD_FAILURE() << "not refused";
    } catch (const DefinitionError& error) {
      EXPECT_EQ(error.what(), expected.error);
    }
    return;
  }
  const CheckedGraph checked = CheckCase(expected, registry);
  EXPECT_EQ(checked.warnings, expected.warnings);
  for (const ExecutorCase& executor_case : AllExecutors()) {
    SCOPED_TRACE(executor_case.name);
    const auto executor = executor_case.make();
    RunCase(expected, checked, *executor);
  }
}

INSTANTIATE_TEST_SUITE_P(Graph, PipelineTest, testing::ValuesIn(CaseNames()), [](const auto& test) {
  std::string name = test.param.substr(0, test.param.find('.'));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(PipelineCasesTest, AtLeastOneInTenExpectsAnError) {
  size_t num_errors = 0, num_cases = 0;
  for (const PipelineCase& found : FindPipelineCases(CaseFolder())) {
    ++num_cases;
    num_errors += found.error.empty() ? 0 : 1;
  }
  EXPECT_GE(num_errors * 10, num_cases);
}

}  // namespace
}  // namespace percept::graph
