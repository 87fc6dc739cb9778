// SPDX-License-Identifier: Apache-2.0
// Every file of tests/pipelines/graph on every executor: what it records, or the fault it is refused or stopped for.
#include <gtest/gtest.h>

#include "tests/support/pipeline_run.h"
#include "tests/support/shared_dir.h"
#include "tests/support/word_nodes.h"

namespace percept::graph {
namespace {

std::filesystem::path CaseFolder() { return SourceDir() / "tests/pipelines/graph"; }

RunResult RunWords(const CheckedGraph& checked, Executor& executor, Recorder& recorder, GraphOptions options) {
  FakeEngine engine(FakeEngine::Pace::kFree);
  Services services;
  services.Add(recorder);
  services.Add(engine);
  return Graph(checked, executor, services, std::move(options)).Run();
}

class PipelineTest : public testing::TestWithParam<std::string> {};

TEST_P(PipelineTest, DoesWhatItSays) {
  ExpectCase(ReadPipelineCase(CaseFolder() / GetParam()), WordRegistry(), RunWords);
}

INSTANTIATE_TEST_SUITE_P(Graph, PipelineTest, testing::ValuesIn(PipelineCaseNames(CaseFolder())), PipelineTestName);

TEST(PipelineCasesTest, AtLeastOneInTenExpectsAnError) { ExpectOneCaseInTenToBeAnError(CaseFolder()); }

}  // namespace
}  // namespace percept::graph
