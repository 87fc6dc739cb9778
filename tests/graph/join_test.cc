// SPDX-License-Identifier: Apache-2.0
// The joins on edges that the test fills, on a clock that it moves.
#include "graph/queue/join.h"

#include <gtest/gtest.h>

#include "graph/run/simulated_clock.h"
#include "tests/support/word_payload.h"

namespace percept::graph {
namespace {

class NoUser : public EdgeUser {
 public:
  void OnEdgeChanged() override {}
};

JoinSpec Latest(bool need_all = true) { return {.kind = JoinKind::kLatest, .need_all = need_all}; }

JoinSpec Nearest(int64_t tolerance_ms) {
  return {.kind = JoinKind::kNearest, .tolerance = Duration::Milliseconds(tolerance_ms)};
}

JoinSpec Window(int64_t duration_ms, int64_t hop_ms, bool need_all = true) {
  return {.kind = JoinKind::kWindow,
          .duration = Duration::Milliseconds(duration_ms),
          .hop = Duration::Milliseconds(hop_ms),
          .need_all = need_all};
}

JoinSpec WithMaxWait(JoinSpec spec, int64_t ms) {
  spec.max_wait = Duration::Milliseconds(ms);
  return spec;
}

// A join of the inputs `a` and `b`.
class JoinTest : public testing::Test {
 protected:
  void Make(const JoinSpec& spec, StateBound bound = {100, 0, {}}) {
    account_ = std::make_unique<StateAccount>(bound);
    for (Edge* edge : edges_) edge->StampArrivals(clock_);
    join_ = MakeJoin(spec, edges_, clock_, *account_);
  }
  void Put(Edge& edge, Packet packet) {
    const Time bound = packet.timestamp().Next();
    Edge::Level level;
    ASSERT_TRUE(edge.Push(packet, bound, level));
  }
  // A packet named after its edge and time.
  void Put(Edge& edge, int64_t ms, int64_t epoch = 0) {
    Origin origin;
    origin.epoch = epoch;
    const std::string name = (&edge == &a_ ? "a" : "b") + std::to_string(ms);
    Put(edge, MakeWord(name, ms).WithOrigin(origin));
  }
  void PutError(Edge& edge, int64_t ms) {
    Put(edge, Packet::MakeError({ErrorKind::kBadInput, "x", "cut short", "read"}, Time::Milliseconds(ms)));
  }
  void Bound(Edge& edge, int64_t ms) { edge.RaiseBound(Time::Milliseconds(ms)); }
  void End(Edge& edge) { edge.RaiseBound(Time::Max()); }

  // "0.01s a10 b12", with " (partial)" behind; an error is "!"; "wait", "ended".
  std::string Next() {
    set_.Clear();
    const Join::Answer answer = join_->Next(set_, [](size_t, const Packet&, Edge::Level) {});
    if (answer != Join::Answer::kSet) return answer == Join::Answer::kWait ? "wait" : "ended";
    std::string text = set_.time().ToString();
    for (const std::string& port : set_.ports()) {
      for (const Packet& packet : set_.All(port)) {
        text += packet.is_error() ? " !" + port : " " + packet.Get<Word>().text;
      }
    }
    return text + (set_.partial() ? " (partial)" : "");
  }
  uint64_t Drops(const Edge& edge, DropReason reason) const { return edge.counts().drops[static_cast<size_t>(reason)]; }

  NoUser user_;
  SimulatedClock clock_;
  const EdgeLimits limits_{.packets = 100, .releases_credits = true};
  Edge a_{"x.out -> join.a", limits_, user_, user_};
  Edge b_{"y.out -> join.b", limits_, user_, user_};
  std::vector<Edge*> edges_{&a_, &b_};
  InputSet set_{{"a", "b"}};
  std::unique_ptr<StateAccount> account_;
  std::unique_ptr<Join> join_;
};

TEST_F(JoinTest, SettledGivesUpAfterMaxWait) {
  Make(WithMaxWait({.need_all = false}, 50));
  Put(a_, 0);
  EXPECT_EQ(Next(), "wait");
  EXPECT_EQ(join_->Deadline(), Duration::Milliseconds(50));
  clock_.Advance(Duration::Milliseconds(30));
  Put(a_, 40);
  EXPECT_EQ(Next(), "wait");
  clock_.Advance(Duration::Milliseconds(20));
  EXPECT_EQ(Next(), "0s a0");
  EXPECT_EQ(Next(), "wait");
  EXPECT_EQ(join_->Deadline(), Duration::Milliseconds(80));  // it came at 30 ms, behind the other
  EXPECT_EQ(join_->Bound(), Time::Nanoseconds(1));
  Put(b_, 0);
  Put(b_, 40);
  EXPECT_EQ(Next(), "0.04s a40 b40");
  EXPECT_EQ(Drops(b_, DropReason::kLate), 1u);
}

TEST_F(JoinTest, SettledWithMaxWaitCountsWhatItNeedsAllOf) {
  Make(WithMaxWait({}, 50));
  Put(a_, 0);
  EXPECT_EQ(Next(), "wait");
  clock_.Advance(Duration::Milliseconds(50));
  EXPECT_EQ(Next(), "wait");
  EXPECT_EQ(join_->num_unmatched(), 1u);
  PutError(b_, 0);
  EXPECT_EQ(Next(), "0s !b");  // an error is never late
}

TEST_F(JoinTest, SettledMakesNothingLaterWaitLonger) {
  Make(WithMaxWait({.need_all = false}, 50));
  Put(a_, 40);
  clock_.Advance(Duration::Milliseconds(49));
  Put(b_, 0);
  EXPECT_EQ(Next(), "0s b0");
  EXPECT_EQ(Next(), "wait");
  clock_.Advance(Duration::Milliseconds(1));
  EXPECT_EQ(Next(), "0.04s a40");
}

// An edge that drops may do so between a join's look at it and its Pop.
TEST_F(JoinTest, APacketMayGoWhileTheJoinLooks) {
  class DropsAtALook : public Clock {
   public:
    explicit DropsAtALook(Edge& edge) : edge_(edge) {}
    Duration Now() const override {
      edge_.DropOldest(DropReason::kStall);
      return {};
    }
    WallTime WallNow() const override { return {}; }
    bool Arm(Timer&, Duration) override { return false; }
    bool Disarm(Timer&) override { return false; }

   private:
    Edge& edge_;
  };
  const DropsAtALook clock(a_);
  account_ = std::make_unique<StateAccount>(StateBound{});
  for (JoinSpec spec : {Latest(), Nearest(0)}) {
    SCOPED_TRACE(ToString(spec.kind));
    Put(a_, 10);
    join_ = MakeJoin(WithMaxWait(spec, 0), edges_, clock, *account_);
    EXPECT_EQ(Next(), "wait");
    EXPECT_EQ(join_->num_unmatched(), 0u);
  }
}

TEST_F(JoinTest, LatestTakesTheNewestOfTheOthers) {
  Make(Latest());
  Put(a_, 10);
  EXPECT_EQ(Next(), "wait");  // nothing has come on b
  Put(b_, 90);
  Put(b_, 100);
  EXPECT_EQ(Next(), "0.01s a10 b100");
  Put(a_, 20);
  EXPECT_EQ(Next(), "0.02s a20 b100");
  EXPECT_EQ(Next(), "wait");
  End(a_);
  EXPECT_EQ(Next(), "ended");
}

TEST_F(JoinTest, LatestGivesUpOnWhatNeverCame) {
  Make(WithMaxWait(Latest(), 50));
  Put(a_, 10);
  EXPECT_EQ(Next(), "wait");
  EXPECT_EQ(join_->Deadline(), Duration::Milliseconds(50));
  clock_.Advance(Duration::Milliseconds(50));
  EXPECT_EQ(Next(), "wait");
  EXPECT_EQ(join_->num_unmatched(), 1u);
  Put(a_, 20);
  End(b_);
  EXPECT_EQ(Next(), "wait");
  EXPECT_EQ(join_->num_unmatched(), 2u);
}

TEST_F(JoinTest, LatestDoesNotWaitForAnInputThatHasPassed) {
  Make(Latest());
  Put(a_, 10);
  Put(a_, 20);
  Bound(b_, 11);  // a closed gate
  EXPECT_EQ(Next(), "wait");
  EXPECT_EQ(join_->num_unmatched(), 1u);
  Put(b_, 15);
  EXPECT_EQ(Next(), "0.02s a20 b15");
}

TEST_F(JoinTest, LatestOfAnyDoesNotWait) {
  Make(Latest(/*need_all=*/false));
  Put(a_, 10);
  EXPECT_EQ(Next(), "0.01s a10");
}

TEST_F(JoinTest, LatestGivesAnErrorOnce) {
  Make(Latest());
  Put(b_, 0);
  PutError(b_, 5);
  PutError(b_, 6);
  Put(a_, 10);
  EXPECT_EQ(Next(), "0.01s a10 !b");
  Put(a_, 20);
  EXPECT_EQ(Next(), "0.02s a20 b0");
  PutError(b_, 30);
  End(a_);
  EXPECT_EQ(Next(), "0.03s !b");
  EXPECT_EQ(Next(), "ended");
}

TEST_F(JoinTest, NearestWaitsUntilNothingCanBeNearer) {
  Make(Nearest(20));
  Put(a_, 100);
  Put(b_, 90);
  EXPECT_EQ(Next(), "wait");
  Put(b_, 105);
  EXPECT_EQ(Next(), "0.1s a100 b105");
  Put(a_, 106);
  EXPECT_EQ(Next(), "wait");
  Bound(b_, 127);
  EXPECT_EQ(Next(), "0.106s a106 b105");  // serves twice
}

TEST_F(JoinTest, NearestTakesTheEarlierOfTwo) {
  Make(Nearest(20));
  Put(b_, 90);
  Put(b_, 110);
  Put(a_, 100);
  EXPECT_EQ(Next(), "0.1s a100 b90");
}

TEST_F(JoinTest, NearestCountsWhatIsTooFarAway) {
  Make(Nearest(20));
  Put(b_, 79);
  Put(b_, 121);
  Put(a_, 100);
  Put(a_, 120);
  EXPECT_EQ(Next(), "0.12s a120 b121");
  EXPECT_EQ(join_->num_unmatched(), 1u);
}

TEST_F(JoinTest, NearestGivesUpAfterMaxWait) {
  Make(WithMaxWait(Nearest(20), 50));
  Put(b_, 95);
  Put(a_, 100);
  EXPECT_EQ(Next(), "wait");
  EXPECT_EQ(join_->Deadline(), Duration::Milliseconds(50));
  clock_.Advance(Duration::Milliseconds(50));
  EXPECT_EQ(Next(), "0.1s a100 b95");
}

TEST_F(JoinTest, NearestGivesAnErrorThatServesNoSetAlone) {
  Make(Nearest(20));
  PutError(b_, 50);
  Put(b_, 100);
  EXPECT_EQ(join_->Bound(), Time::Min());
  Put(a_, 100);
  EXPECT_EQ(join_->Bound(), Time::Milliseconds(50));
  EXPECT_EQ(Next(), "0.05s !b");
  EXPECT_EQ(Next(), "0.1s a100 b100");
  PutError(b_, 110);
  Put(a_, 110);
  EXPECT_EQ(Next(), "0.11s a110 !b");
  Put(b_, 120);
  Put(a_, 120);
  EXPECT_EQ(Next(), "0.12s a120 b120");  // the error has been given
  PutError(b_, 130);
  Put(b_, 155);
  Put(a_, 155);
  EXPECT_EQ(Next(), "0.13s !b");
  EXPECT_EQ(Next(), "0.155s a155 b155");
  PutError(b_, 160);
  End(a_);
  EXPECT_EQ(Next(), "0.16s !b");
  EXPECT_EQ(Next(), "ended");
}

TEST_F(JoinTest, WindowTakesAllOfASpan) {
  Make(Window(100, 100));
  for (const int64_t ms : {0, 40, 99, 100}) Put(a_, ms);
  Put(b_, 50);
  EXPECT_EQ(join_->Bound(), Time::Nanoseconds(0));
  EXPECT_EQ(Next(), "wait");
  EXPECT_EQ(account_->items(), 5);
  EXPECT_EQ(a_.Look().head, Time::Unset());  // taken at once
  Bound(b_, 100);
  EXPECT_EQ(Next(), "0s a0 a40 a99 b50");
  EXPECT_EQ(set_.duration(), Duration::Milliseconds(100));
  EXPECT_EQ(account_->items(), 1);
  EXPECT_EQ(join_->Bound(), Time::Milliseconds(100));
  Put(b_, 350);
  Put(a_, 360);
  EXPECT_EQ(Next(), "wait");
  EXPECT_EQ(join_->num_unmatched(), 1u);  // 100 to 200 ms has no b; 200 to 300 ms has nothing
  EXPECT_EQ(join_->Bound(), Time::Milliseconds(300));
}

TEST_F(JoinTest, WindowsMayOverlap) {
  Make(Window(100, 50, /*need_all=*/false));
  for (const int64_t ms : {0, 60, 110}) Put(a_, ms);
  End(b_);
  EXPECT_EQ(Next(), "0s a0 a60");
  EXPECT_EQ(Next(), "wait");
  Put(a_, 400);
  EXPECT_EQ(Next(), "0.05s a60 a110");
  EXPECT_EQ(Next(), "0.1s a110");
  EXPECT_EQ(Next(), "wait");
  EXPECT_EQ(account_->items(), 1);
}

TEST_F(JoinTest, WindowsMayBeFartherApartThanTheyAreLong) {
  Make(Window(50, 100, /*need_all=*/false));
  for (const int64_t ms : {0, 60, 120}) Put(a_, ms);
  PutError(a_, 170);
  Put(a_, 210);
  End(b_);
  EXPECT_EQ(Next(), "0s a0");
  EXPECT_EQ(Next(), "0.1s a120");
  EXPECT_EQ(Next(), "0.17s !a");
  EXPECT_EQ(Drops(a_, DropReason::kOutside), 1u);
}

TEST_F(JoinTest, WindowAtTheEndIsPartialWhereItReachesFarther) {
  Make(Window(100, 100, /*need_all=*/false));
  Put(a_, 0);
  Put(a_, 130);
  End(a_);
  End(b_);
  EXPECT_EQ(Next(), "0s a0");
  EXPECT_EQ(Next(), "0.1s a130 (partial)");
  EXPECT_EQ(Next(), "ended");
}

TEST_F(JoinTest, WindowAtTheEndIsWholeWhereThePacketsOrTheBoundReach) {
  Make(Window(100, 100, /*need_all=*/false));
  Put(a_, MakeWord("long", 60).WithDuration(Duration::Milliseconds(40)));
  End(a_);
  End(b_);
  EXPECT_EQ(Next(), "0s long");
  EXPECT_EQ(Next(), "ended");
}

TEST_F(JoinTest, WindowAtTheEndIsWholeWhereTheBoundReaches) {
  Make(Window(100, 100, /*need_all=*/false));
  Put(a_, 60);
  Bound(b_, 100);
  End(a_);
  End(b_);
  EXPECT_EQ(Next(), "0s a60");
}

TEST_F(JoinTest, ANewEpochCutsWindowsAndCountsAnew) {
  Make(Window(100, 100, /*need_all=*/false));
  Put(a_, 10);
  Put(b_, 20);
  Put(a_, 130, 1);
  EXPECT_EQ(Next(), "wait");  // b may still bring something before the cut
  Put(b_, 110);
  Put(b_, 140);
  EXPECT_EQ(Next(), "0s a10 b20");
  EXPECT_EQ(Next(), "0.1s b110 (partial)");
  EXPECT_EQ(Next(), "wait");
  EXPECT_EQ(join_->Bound(), Time::Milliseconds(130));
  Put(a_, 229, 1);
  Put(b_, 230);
  Put(a_, 231, 1);
  EXPECT_EQ(Next(), "0.13s a130 a229 b140");
}

TEST_F(JoinTest, AnEpochOfBothInputsCutsOnce) {
  Make(Window(100, 100, /*need_all=*/false));
  Put(a_, 10);
  Put(b_, 20);
  Put(a_, 55, 1);
  Put(b_, 50, 1);
  EXPECT_EQ(Next(), "0s a10 b20 (partial)");
  End(a_);
  End(b_);
  EXPECT_EQ(Next(), "0.05s a55 b50 (partial)");
  EXPECT_EQ(Next(), "ended");
}

TEST_F(JoinTest, WindowGivesUpAfterMaxWait) {
  Make(WithMaxWait(Window(100, 100, /*need_all=*/false), 50));
  clock_.Advance(Duration::Milliseconds(5));
  Put(a_, 0);
  Put(a_, 110);
  EXPECT_EQ(Next(), "wait");
  EXPECT_EQ(join_->Deadline(), Duration::Milliseconds(55));
  clock_.Advance(Duration::Milliseconds(50));
  EXPECT_EQ(Next(), "0s a0 (partial)");
  EXPECT_EQ(Next(), "0.1s a110 (partial)");
  Put(b_, 50);
  EXPECT_EQ(Next(), "wait");
  EXPECT_EQ(Drops(b_, DropReason::kLate), 1u);
  PutError(b_, 60);
  EXPECT_EQ(Next(), "0.1s !b");
}

TEST_F(JoinTest, WindowKeepsNoMoreThanTheContractAllows) {
  Make(Window(100, 100), {2, 0, {}});
  Put(a_, 0);
  Put(a_, 10);
  EXPECT_EQ(Next(), "wait");
  Put(a_, 20);
  try {
    Next();
    FAIL();
  } catch (const StateError& error) {
    EXPECT_EQ(error.what(), "it keeps 2 items of " + std::to_string(2 * WordBytes(1)) + " bytes; one more of " +
                                std::to_string(WordBytes(1)) + " bytes would pass its state bound of 2 items");
  }
}

TEST(StateAccountTest, SaysWhichBoundIsPassed) {
  const auto reason = [](const StateBound& bound) -> std::string {
    StateAccount account(bound);
    KeptPackets kept(account);
    try {
      kept.Push(MakeWord("a", 0, 60));
      kept.Push(MakeWord("b", 2000, 41));
    } catch (const StateError& error) {
      return error.what();
    }
    return "";
  };
  const auto both = static_cast<int64_t>(WordBytes(60) + WordBytes(41));
  const std::string first = std::to_string(WordBytes(60)) + " bytes", second = std::to_string(WordBytes(41)) + " bytes";
  EXPECT_EQ(reason({0, 0, {}}),
            "it keeps 0 items of 0 bytes; one more of " + first + ": its contract allows it no state");
  EXPECT_EQ(reason({0, both - 1, {}}), "it keeps 1 item of " + first + "; one more of " + second +
                                           " would pass its state bound of " + std::to_string(both - 1) + " bytes");
  EXPECT_EQ(reason({0, 0, Duration::Seconds(1.5)}), "it keeps 1 item of " + first + "; one more of " + second +
                                                        ", 2s after the oldest, would pass its state bound of 1.5s");
  EXPECT_EQ(reason({2, both, Duration::Seconds(2)}), "");
}

TEST(StateAccountTest, RemembersTheMost) {
  StateAccount account({10, 0, {}});
  {
    KeptPackets kept(account);
    kept.Push(MakeWord("a", 0, 60));
    kept.Push(MakeWord("b", 1, 40));
    EXPECT_EQ(kept.Pop().Get<Word>().text, "a");
    EXPECT_EQ(account.bytes(), static_cast<int64_t>(WordBytes(40)));
  }
  EXPECT_EQ(account.items(), 0);
  EXPECT_EQ(account.peak_items(), 2);
  EXPECT_EQ(account.peak_bytes(), static_cast<int64_t>(WordBytes(60) + WordBytes(40)));
}

}  // namespace
}  // namespace percept::graph
