// SPDX-License-Identifier: Apache-2.0
// Every file of tests/pipelines/flow on every executor, on a clock that jumps to what comes next: bad input and hostile
// conditions, each with all that comes of it.
#include <gtest/gtest.h>

#include "graph/run/simulated_clock.h"
#include "tests/flow/flow_registry.h"
#include "tests/support/pipeline_run.h"
#include "tests/support/shared_dir.h"

namespace percept::nodes {
namespace {

std::filesystem::path CaseFolder() { return SourceDir() / "tests/pipelines/flow"; }

graph::RunResult RunTexts(const graph::CheckedGraph& checked, graph::Executor& executor, Recorder& recorder,
                          graph::GraphOptions options) {
  graph::SimulatedClock clock;
  options.clock = &clock;
  graph::Services services;
  services.Add(recorder);
  return graph::Graph(checked, executor, services, std::move(options)).Run();
}

class FlowPipelineTest : public testing::TestWithParam<std::string> {};

TEST_P(FlowPipelineTest, DoesWhatItSays) {
  ExpectCase(ReadPipelineCase(CaseFolder() / GetParam()), FlowRegistry(), RunTexts);
}

INSTANTIATE_TEST_SUITE_P(Flow, FlowPipelineTest, testing::ValuesIn(PipelineCaseNames(CaseFolder())), PipelineTestName);

TEST(FlowPipelineCasesTest, AtLeastOneInTenExpectsAnError) { ExpectOneCaseInTenToBeAnError(CaseFolder()); }

}  // namespace
}  // namespace percept::nodes
