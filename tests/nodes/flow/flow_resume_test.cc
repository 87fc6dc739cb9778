// SPDX-License-Identifier: Apache-2.0
// A run with flow nodes that is taken up after any chunk sends on what an uninterrupted run does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>

#include "graph/run/thread_executor.h"
#include "tests/nodes/flow/flow_case.h"
#include "tests/nodes/node_run.h"

namespace percept::nodes {
namespace {

class CommitList : public graph::CommitSink {
 public:
  void OnChunk(const graph::ChunkCommit& commit) override { commits.push_back(commit); }
  std::vector<graph::ChunkCommit> commits;
};

struct FlowCase {
  std::string name, node;
};

void PrintTo(const FlowCase& flow, std::ostream* out) { *out << flow.name; }

class FlowResumeTest : public testing::TestWithParam<FlowCase> {
 protected:
  // Packets with their epochs, in the order they came.
  std::vector<std::string> Run(std::optional<graph::ResumePoint> resume, graph::CommitSink* commits) {
    graph::Registry registry;
    RegisterNodes(&registry);
    std::vector<graph::Packet> kept;
    RegisterKeeper(registry, &kept);
    const graph::CheckedGraph checked =
        CheckNodes("  read: { type: source.script, items: " + Lines() + " }\n  node: { " + GetParam().node +
                       " }\n  keep: { type: test.keep, in: node.out }\n",
                   registry);
    graph::ThreadExecutor executor({2, {}});
    graph::Services services;
    graph::GraphOptions options;
    options.commits = commits;
    options.resume = std::move(resume);
    EXPECT_EQ(graph::Graph(checked, executor, services, options).Run().status, graph::RunStatus::kFinished);
    std::vector<std::string> lines;
    for (const graph::Packet& packet : kept) {
      lines.push_back(Describe(packet) + " in epoch " + std::to_string(packet.origin().epoch) +
                      (packet.has(graph::Packet::kDiscontinuity) ? ", anew" : ""));
    }
    return lines;
  }

  // 24 packets 10 ms apart, a chunk after each, an error for each ninth, a new epoch before each seventh.
  static std::string Lines() {
    std::string lines = "[";
    for (int i = 0; i < 24; ++i) {
      const std::string n = std::to_string(i);
      const std::string start = std::to_string(i / 7 * 100);
      lines += i % 7 == 0 && i > 0 ? "{ epoch: " + start + "ms, " : "{ ";
      lines += "t: " + std::to_string(i % 7 * 10);
      lines.append("ms, item: i").append(n).append(", chunk: c").append(n).append(", ");
      lines +=
          i % 9 == 8 ? "error: torn }, " : "text: w" + n + ", fields: { v: " + std::to_string(i / 3 % 2) + " } }, ";
    }
    return lines + "]";
  }
};

TEST_P(FlowResumeTest, SendsTheSameFromEveryChunkOn) {
  CommitList list;
  const std::vector<std::string> whole = Run({}, &list);
  EXPECT_GE(whole.size(), 4u);
  ASSERT_GE(list.commits.size(), 20u);
  for (const graph::ChunkCommit& commit : list.commits) {
    if (commit.is_last) continue;
    SCOPED_TRACE("after chunk " + commit.key);
    CommitList rest;
    const std::vector<std::string> lines =
        Run(graph::ResumePoint{commit.key, commit.end, commit.epoch, commit.positions, commit.states}, &rest);
    ASSERT_LE(lines.size(), whole.size());
    EXPECT_TRUE(std::equal(lines.rbegin(), lines.rend(), whole.rbegin()))
        << testing::PrintToString(lines) << " is not the end of " << testing::PrintToString(whole);
    // Nothing is left out: the chunks before sent the other lines.
    const auto num_before = std::count_if(
        whole.begin(), whole.end(), [&](const std::string& line) { return std::stod(line) < commit.end.seconds(); });
    EXPECT_EQ(lines.size() + static_cast<size_t>(num_before), whole.size());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Flow, FlowResumeTest,
    testing::Values(FlowCase{"SampleByTime", "type: flow.sample, in: read, every: 20ms"},
                    FlowCase{"SampleByNumber", "type: flow.sample, in: read, nth: 3"},
                    FlowCase{"Limit", "type: flow.limit, in: read, count: 21"},
                    FlowCase{"LimitTime", "type: flow.limit, in: read, time: 310ms"},
                    FlowCase{"Filter", "type: flow.filter, in: read, when: { field: v, changed: true }"},
                    FlowCase{"FilterFor", "type: flow.filter, in: read, when: { field: v, is: 1, for: 10ms }"},
                    FlowCase{"Tee", "type: flow.tee, in: read"},
                    FlowCase{"Gate",
                             "type: flow.gate, in: { in: read, control: read }, when: { field: v, changed: true }"},
                    FlowCase{"Switch",
                             "type: flow.switch, in: { a: read, b: read }, cases: [ { use: a, when: { field: v, "
                             "changed: true } }, { use: b, when: { field: v, is: 1, for: 20ms } } ]"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace percept::nodes
