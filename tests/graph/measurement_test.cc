// SPDX-License-Identifier: Apache-2.0
// What a Measurement makes of the events of a run.
#include "graph/run/measurement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "graph/config/graph_builder.h"
#include "graph/run/graph.h"
#include "graph/run/simulated_clock.h"
#include "tests/graph/function_node.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

Duration Ms(int64_t ms) { return Duration::Milliseconds(ms); }

class MeasurementTest : public testing::Test {
 protected:
  static CheckedGraph Chain() {
    return Check(ParsePipeline("percept: 1\nnodes:\n  read: { type: source.script, script: [] }\n"
                               "  work: { type: word.append, in: read, suffix: x }\n"
                               "  out: { type: sink.words, in: work }\n",
                               "p.yaml"),
                 WordRegistry());
  }

  void At(int64_t ms) { clock_.Advance(Ms(ms) - clock_.Now()); }
  void Begin(const char* node, Time time = Time::Unset()) {
    measurement_.OnEvent({TraceKind::kRunBegin, node, "", time, 0, 0, 0});
  }
  void End(const char* node, Time time = Time::Unset()) {
    measurement_.OnEvent({TraceKind::kRunEnd, node, "", time, 0, 0, 0});
  }
  void Call(const char* node, int64_t ms, Time time = Time::Unset()) {
    Begin(node, time);
    At(clock_.Now().nanoseconds() / 1'000'000 + ms);
    End(node, time);
  }
  void Sent(const char* node, const char* edge, Time time, uint64_t id) {
    measurement_.OnEvent({TraceKind::kSent, node, "out", time, id, 0, 0, edge});
  }
  void Received(const char* node, const char* edge, Time time, uint64_t id, bool is_error = false) {
    measurement_.OnEvent({TraceKind::kReceived, node, "in", time, id, 0, 0, edge, "", is_error});
  }

  static constexpr const char* kIn = "read.out -> work.in";
  static constexpr const char* kOut = "work.out -> out.in";
  const CheckedGraph graph_ = Chain();
  SimulatedClock clock_;
  Measurement measurement_{graph_, clock_};
};

TEST_F(MeasurementTest, ASetIsInItsNodeUntilItsLastPacketIsSent) {
  const Time time = Time::Milliseconds(40);
  Call("read", 10);
  Sent("read", kIn, time, 1);
  At(15);
  Received("work", kIn, time, 1);
  Call("work", 2, time);  // hands it to an engine
  At(50);
  Call("work", 3);
  Sent("work", kOut, time, 1);
  At(60);
  Received("out", kOut, time, 1);
  Call("out", 40, time);
  const MeasuredRun run = measurement_.Result();
  EXPECT_EQ(run.duration, Ms(100));
  EXPECT_EQ(run.num_items, 1u);
  EXPECT_EQ(run.nodes[0].process.median, Ms(10));
  EXPECT_EQ(run.nodes[1].process.median, Ms(5));
  EXPECT_EQ(run.nodes[1].through.median, Ms(38));
  EXPECT_DOUBLE_EQ(run.nodes[1].busy, 0.38);
  EXPECT_EQ(run.edges[0].median, Ms(5));
  EXPECT_EQ(run.edges[1].max, Ms(7));
  ASSERT_EQ(run.ways.size(), 1u);
  EXPECT_EQ(run.ways[0].latency.max, Ms(50));
  EXPECT_EQ(run.limiting, 2u);  // about as busy as `work`, and nearer to the end
}

TEST_F(MeasurementTest, SetsThatOverlapCountOnce) {
  for (const int64_t at : {0, 10}) {
    At(at);
    Received("work", kIn, Time::Milliseconds(at), 1);
    Call("work", 1, Time::Milliseconds(at));
  }
  At(20);
  Sent("work", kOut, Time::Milliseconds(0), 1);
  At(40);
  Sent("work", kOut, Time::Milliseconds(10), 2);
  At(80);
  Call("read", 0);
  const MeasuredRun run = measurement_.Result();
  EXPECT_EQ(run.nodes[1].process.num, 2u);
  EXPECT_EQ(run.nodes[1].through.total, Ms(50));
  EXPECT_DOUBLE_EQ(run.nodes[1].busy, 0.5);
  EXPECT_EQ(run.limiting, 1u);
}

TEST_F(MeasurementTest, CallsWithOneSetAreOneSet) {
  const Time time = Time::Milliseconds(0);
  Received("work", kIn, time, 1);
  Call("work", 2, time);
  Call("work", 3, time);
  Received("work", kIn, time, 2);  // another at the same time
  Call("work", 4, time);
  const TimeSpread process = measurement_.Result().nodes[1].process;
  EXPECT_EQ(process.num, 2u);
  EXPECT_EQ(process.median, Ms(4));
  EXPECT_EQ(process.total, Ms(9));
}

TEST_F(MeasurementTest, APacketMayBeTakenBeforeItsSenderSaysSo) {
  At(5);
  Received("work", kIn, Time::Milliseconds(0), 1);
  At(6);
  Sent("read", kIn, Time::Milliseconds(0), 1);
  At(9);
  Sent("read", kIn, Time::Milliseconds(1), 2);
  measurement_.OnEvent({TraceKind::kDropped, "read", "", Time::Milliseconds(1), 2, 0, 0, kIn, "latest"});
  const TimeSpread waited = measurement_.Result().edges[0];
  EXPECT_EQ(waited.num, 1u);
  EXPECT_EQ(waited.max, Duration());
}

TEST_F(MeasurementTest, ErrorsAreNoLatencies) {
  Sent("read", kIn, Time::Milliseconds(0), 1);
  Received("out", kOut, Time::Milliseconds(0), 1, /*is_error=*/true);
  EXPECT_TRUE(measurement_.Result().ways.empty());
}

TEST_F(MeasurementTest, ManySamplesAreThinnedOut) {
  constexpr int kNumSets = 200'000;
  std::minstd_rand random;
  int64_t sum_ms = 0;
  for (int i = 0; i < kNumSets; ++i) {
    const auto ms = static_cast<int64_t>(random() % 100);
    sum_ms += ms;
    Call("read", ms);
  }
  const TimeSpread process = measurement_.Result().nodes[0].process;
  EXPECT_EQ(process.num, static_cast<uint64_t>(kNumSets));
  EXPECT_EQ(process.max, Ms(99));
  EXPECT_EQ(process.total, Ms(sum_ms));
  EXPECT_NEAR(process.median.seconds(), 0.0495, 0.002);
  EXPECT_NEAR(process.p95.seconds(), 0.0945, 0.002);
}

TEST_F(MeasurementTest, NothingRanNothingLimits) {
  const MeasuredRun run = measurement_.Result();
  EXPECT_EQ(run.limiting, std::nullopt);
  EXPECT_EQ(run.duration, Duration());
  EXPECT_EQ(run.nodes[0].process.p95, Duration());
}

class MeasuredRunTest : public testing::TestWithParam<ExecutorCase> {};

// Whatever the threads do, every packet is seen on its edge and at its end.
TEST_P(MeasuredRunTest, AccountsForEveryPacket) {
  Registry registry = WordRegistry();
  RegisterCountingSource(registry, 200);
  const CheckedGraph checked = Check(ParsePipeline("percept: 1\nnodes:\n  read: { type: source.count }\n"
                                                   "  near: { type: sink.words, in: read }\n"
                                                   "  join: { type: word.join, in: { a: read, b: read } }\n"
                                                   "  far:  { type: sink.words, in: join }\n",
                                                   "p.yaml"),
                                     registry);
  Recorder recorder;
  Services services;
  services.Add(recorder);
  std::atomic<int> num_seen{0};
  FunctionObserver next([&](const TraceEvent& event) { num_seen += event.kind == TraceKind::kReceived; });
  SimulatedClock clock;
  Measurement measurement(checked, clock, &next);
  const auto executor = GetParam().make();
  GraphOptions options;
  options.clock = &clock;
  options.observer = &measurement;
  ASSERT_EQ(Graph(checked, *executor, services, options).Run().status, RunStatus::kFinished);
  const MeasuredRun run = measurement.Result();
  for (const TimeSpread& edge : run.edges) EXPECT_EQ(edge.num, 200u);
  ASSERT_EQ(run.ways.size(), 2u);
  for (const MeasuredRun::OfWay& way : run.ways) EXPECT_EQ(way.latency.num, 200u);
  EXPECT_EQ(run.nodes[2].process.num, 200u);
  EXPECT_EQ(num_seen, 800);
}

INSTANTIATE_TEST_SUITE_P(All, MeasuredRunTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace percept::graph
