// SPDX-License-Identifier: Apache-2.0
#include "graph/queue/edge.h"

#include <gtest/gtest.h>

#include "graph/queue/settled_join.h"
#include "graph/run/simulated_clock.h"
#include "tests/support/word_payload.h"

namespace percept::graph {
namespace {

class CountChanges : public EdgeUser {
 public:
  void OnEdgeChanged() override { ++num; }
  int num = 0;
};

class EdgeTest : public testing::Test {
 protected:
  bool Push(Edge& edge, const std::string& text, int64_t ms, size_t bytes = 1) {
    Packet packet = MakeWord(text, ms, bytes);
    return edge.Push(packet, Time::Milliseconds(ms).Next(), level_);
  }
  std::string Pop(Edge& edge) {
    Packet packet;
    return edge.Pop(Time::Max(), packet, level_) ? packet.Get<Word>().text : "";
  }

  CountChanges producer_, consumer_;
  Edge::Level level_;
};

TEST_F(EdgeTest, IsBoundedInPackets) {
  Edge edge("a.out -> b.in", {2, 1000}, producer_, consumer_);
  EXPECT_TRUE(Push(edge, "a", 0));
  EXPECT_TRUE(edge.HasRoom());
  EXPECT_TRUE(Push(edge, "b", 1));
  EXPECT_FALSE(edge.HasRoom());
  EXPECT_FALSE(Push(edge, "c", 2));
  EXPECT_EQ(edge.counts().packets, 2u);
  EXPECT_EQ(edge.Describe(),
            "2 of 2 packets, " + std::to_string(2 * WordBytes(1)) + " of 1000 bytes, bound 0.001000001s");
  EXPECT_EQ(Pop(edge), "a");
  EXPECT_EQ(producer_.num, 1);
  EXPECT_TRUE(Push(edge, "c", 2));
  EXPECT_EQ(Pop(edge), "b");
  EXPECT_EQ(Pop(edge), "c");
  EXPECT_EQ(Pop(edge), "");
  EXPECT_EQ(producer_.num, 1);  // told only after it was refused
}

TEST_F(EdgeTest, IsBoundedInBytes) {
  const size_t room = WordBytes(60) + WordBytes(40);
  Edge edge("a.out -> b.in", {8, room}, producer_, consumer_);
  EXPECT_TRUE(Push(edge, "a", 0, 60));
  EXPECT_TRUE(edge.HasRoom());
  EXPECT_FALSE(Push(edge, "b", 1, 41));
  EXPECT_TRUE(Push(edge, "c", 1, 40));
  EXPECT_FALSE(edge.HasRoom());
  EXPECT_EQ(level_.bytes, room);
  EXPECT_EQ(edge.counts().peak_bytes, room);
}

TEST_F(EdgeTest, LetsALargerPacketInAlone) {
  Edge edge("a.out -> b.in", {8, 100}, producer_, consumer_);
  EXPECT_TRUE(Push(edge, "huge", 0, std::numeric_limits<size_t>::max()));
  EXPECT_FALSE(Push(edge, "b", 1, 1));
  EXPECT_FALSE(edge.HasRoom());
  EXPECT_EQ(Pop(edge), "huge");
  EXPECT_TRUE(Push(edge, "b", 1, 1));
  EXPECT_FALSE(Push(edge, "huge", 2, std::numeric_limits<size_t>::max()));
}

TEST_F(EdgeTest, BoundNeverMovesBack) {
  Edge edge("a.out -> b.in", {8, 100}, producer_, consumer_);
  EXPECT_EQ(edge.Look().bound, Time::Min());
  Push(edge, "a", 10);
  EXPECT_EQ(edge.Look().head, Time::Milliseconds(10));
  edge.RaiseBound(Time::Milliseconds(5));
  EXPECT_EQ(edge.Look().bound, Time::Milliseconds(10).Next());
  EXPECT_EQ(consumer_.num, 1);
  edge.RaiseBound(Time::Max());
  EXPECT_EQ(consumer_.num, 2);
  EXPECT_FALSE(edge.Look().ended());
  Pop(edge);
  EXPECT_TRUE(edge.Look().ended());
}

TEST_F(EdgeTest, ClosingLetsGoOfPacketsAndCredits) {
  class Source : public CreditReturn {
   public:
    void TakeCredit() override {}
    void ReturnCredit() override { returned = true; }
    bool returned = false;
  };
  Edge edge("a.out -> b.in", {1, 100}, producer_, consumer_);
  auto source = std::make_shared<Source>();
  Origin origin;
  origin.item = std::make_shared<const Item>("x", 1, source);
  Packet packet = MakeWord("a", 0).WithOrigin(origin);
  origin.item->Acquire();
  edge.Push(packet, Time::Milliseconds(1), level_);
  EXPECT_FALSE(edge.HasRoom());
  edge.Close();
  EXPECT_TRUE(source->returned);
  EXPECT_EQ(producer_.num, 1);
  EXPECT_TRUE(edge.HasRoom());
  EXPECT_TRUE(Push(edge, "b", 2));
  EXPECT_EQ(Pop(edge), "");
}

TEST_F(EdgeTest, RingKeepsOrderWhileItGrows) {
  Edge edge("a.out -> b.in", {.packets = 100}, producer_, consumer_);
  int next_in = 0, next_out = 0;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 5; ++i, ++next_in) ASSERT_TRUE(Push(edge, std::to_string(next_in), next_in));
    for (int i = 0; i < 3; ++i, ++next_out) ASSERT_EQ(Pop(edge), std::to_string(next_out));
  }
}

class SettledJoinTest : public EdgeTest {
 protected:
  SettledJoin::Answer Next() {
    set_.Clear();
    return join_.Next(set_, [](size_t, const Packet&, Edge::Level) {});
  }

  Edge a_{"x.out -> join.a", {.packets = 8}, producer_, consumer_};
  Edge b_{"y.out -> join.b", {.packets = 8}, producer_, consumer_};
  std::vector<Edge*> edges_{&a_, &b_};
  SimulatedClock clock_;
  SettledJoin join_{JoinSpec{}, edges_, clock_};
  InputSet set_{{"a", "b"}};
};

TEST_F(SettledJoinTest, WaitsUntilEveryBoundHasPassed) {
  Push(a_, "a", 10);
  EXPECT_EQ(Next(), SettledJoin::Answer::kWait);
  b_.RaiseBound(Time::Milliseconds(10));  // something at 10 ms may still come
  EXPECT_EQ(Next(), SettledJoin::Answer::kWait);
  Push(b_, "b", 10);
  ASSERT_EQ(Next(), SettledJoin::Answer::kSet);
  EXPECT_EQ(set_.time(), Time::Milliseconds(10));
  EXPECT_EQ(set_.Get("a").Get<Word>().text + set_.Get("b").Get<Word>().text, "ab");
  EXPECT_EQ(join_.num_unmatched(), 0u);
}

TEST_F(SettledJoinTest, CountsSetsThatLackAnInput) {
  Push(a_, "a", 10);
  Push(b_, "late", 20);
  Push(a_, "b", 30);
  EXPECT_EQ(Next(), SettledJoin::Answer::kWait);
  EXPECT_EQ(join_.num_unmatched(), 2u);
  b_.RaiseBound(Time::Max());
  EXPECT_EQ(Next(), SettledJoin::Answer::kWait);
  EXPECT_EQ(join_.num_unmatched(), 3u);
  a_.RaiseBound(Time::Max());
  EXPECT_EQ(Next(), SettledJoin::Answer::kEnded);
}

TEST_F(SettledJoinTest, AnErrorSettlesASetThatLacksAnInput) {
  Packet error = Packet::MakeError({ErrorKind::kBadInput, "x", "cut short", "read"}, Time::Milliseconds(10));
  a_.Push(error, Time::Milliseconds(11), level_);
  b_.RaiseBound(Time::Milliseconds(11));
  ASSERT_EQ(Next(), SettledJoin::Answer::kSet);
  EXPECT_EQ(set_.FirstError()->Get<ErrorPayload>().reason, "cut short");
  EXPECT_TRUE(set_.Get("b").empty());
}

TEST_F(SettledJoinTest, BoundIsTheEarliestThatCanStillCome) {
  EXPECT_EQ(join_.Bound(), Time::Min());
  Push(a_, "a", 10);
  b_.RaiseBound(Time::Milliseconds(30));
  EXPECT_EQ(join_.Bound(), Time::Milliseconds(10));
  EXPECT_EQ(Next(), SettledJoin::Answer::kWait);
  EXPECT_EQ(join_.Bound(), Time::Milliseconds(10).Next());
}

}  // namespace
}  // namespace percept::graph
