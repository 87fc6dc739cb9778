// SPDX-License-Identifier: Apache-2.0
// What a full edge does: which packets stay, which go and why, and that a drop holds up nobody.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "graph/queue/edge.h"
#include "tests/support/word_payload.h"

// Packets that are of use only after those before them, back to a key packet.
struct Coded {
  std::string text;
};

template <>
struct percept::graph::PayloadTraits<Coded> {
  static constexpr const char* kName = "Coded";
  static constexpr bool kInGroups = true;
  static size_t Bytes(const Coded&) { return 1; }
};

namespace percept::graph {
namespace {

class User : public EdgeUser {
 public:
  void OnEdgeChanged() override { ++num_changes; }
  void OnDrop(const Edge&, const Packet& packet, DropReason reason) override {
    const std::string text = packet.Is<Coded>() ? packet.Get<Coded>().text : packet.Get<Word>().text;
    drops.push_back(text + " " + ToString(reason));
  }
  int num_changes = 0;
  std::vector<std::string> drops;
};

class Source : public CreditReturn {
 public:
  void TakeCredit() override { ++num_taken; }
  void ReturnCredit() override { ++num_returned; }
  int num_taken = 0;
  int num_returned = 0;
};

// One edge of the policy that a test asks for; each word is an item of its own and lies at as many milliseconds as
// were pushed before it.
class DropPolicyTest : public testing::Test {
 protected:
  Edge& Make(DropPolicy policy, size_t packets, size_t bytes = 1000, Duration time = {}) {
    edge_ = std::make_unique<Edge>("a.out -> b.in", EdgeLimits{packets, bytes, time, policy}, producer_, consumer_);
    return *edge_;
  }
  bool Push(Packet packet) {
    Origin origin;
    origin.item = std::make_shared<const Item>("x", 1, source_);
    origin.item->Acquire();
    items_.push_back(origin.item);
    const Time bound = packet.timestamp().Next();
    packet = std::move(packet).WithOrigin(origin);
    if (edge_->Push(packet, bound, level_)) return true;
    EXPECT_FALSE(packet.empty());
    return false;
  }
  // What a word of so many bytes takes with its item.
  size_t BytesOf(size_t bytes) const { return WordBytes(bytes) + Item("x", 1, source_).bytes(); }
  bool Push(const std::string& text, size_t bytes = 1) { return Push(MakeWord(text, next_ms_++, bytes)); }
  bool PushError(const std::string& reason) {
    return Push(Packet::MakeError({ErrorKind::kBadInput, "x", reason, "read"}, Time::Milliseconds(next_ms_++)));
  }
  // "K..." is a key packet.
  bool PushCoded(const std::string& text) {
    Packet packet = Packet::Make(Coded{text}, Time::Milliseconds(next_ms_++));
    if (text[0] == 'K') packet = std::move(packet).WithFlag(Packet::kKey);
    return Push(std::move(packet));
  }
  // What lies on the edge, front to back; takes it off.
  std::string Rest() {
    std::string rest;
    Packet packet;
    while (edge_->Pop(Time::Max(), packet, level_)) {
      packet.origin().item->Release();
      rest += rest.empty() ? "" : " ";
      rest += packet.is_error()    ? "!" + packet.Get<ErrorPayload>().reason
              : packet.Is<Coded>() ? packet.Get<Coded>().text
                                   : packet.Get<Word>().text;
    }
    return rest;
  }
  uint64_t Drops(DropReason reason) const { return edge_->counts().drops[static_cast<size_t>(reason)]; }

  User producer_, consumer_;
  std::shared_ptr<Source> source_ = std::make_shared<Source>();
  std::vector<ItemRef> items_;  // all that were pushed
  std::unique_ptr<Edge> edge_;
  Edge::Level level_;
  int64_t next_ms_ = 0;
};

TEST_F(DropPolicyTest, DropOldestMakesRoom) {
  Make(DropPolicy::kDropOldest, 2);
  for (const char* text : {"a", "b", "c", "d"}) EXPECT_TRUE(Push(text));
  EXPECT_TRUE(edge_->HasRoom());
  EXPECT_THAT(producer_.drops, testing::ElementsAre("a full_oldest", "b full_oldest"));
  EXPECT_EQ(source_->num_returned, 2);
  EXPECT_EQ(Rest(), "c d");
  EXPECT_EQ(Drops(DropReason::kFullOldest), 2u);
  EXPECT_EQ(edge_->counts().packets, 4u);
  EXPECT_EQ(edge_->counts().peak_packets, 2u);
}

TEST_F(DropPolicyTest, DropOldestMakesRoomForALargePacket) {
  Make(DropPolicy::kDropOldest, 8, 2 * BytesOf(4) + 2);
  Push("a", 4);
  Push("b", 4);
  Push("c", BytesOf(4) + 3);
  EXPECT_EQ(Rest(), "c");
  Push("huge", std::numeric_limits<size_t>::max());
  Push("d", 1);
  EXPECT_EQ(Rest(), "d");
}

TEST_F(DropPolicyTest, DropNewestKeepsWhatIsThere) {
  Make(DropPolicy::kDropNewest, 2);
  for (const char* text : {"a", "b", "c", "d"}) EXPECT_TRUE(Push(text));
  EXPECT_THAT(producer_.drops, testing::ElementsAre("c full_newest", "d full_newest"));
  EXPECT_EQ(Rest(), "a b");
  EXPECT_TRUE(Push("e"));
  EXPECT_EQ(Rest(), "e");
  EXPECT_EQ(source_->num_returned, 5);
}

TEST_F(DropPolicyTest, ADropRaisesTheBoundAsASendDoes) {
  Make(DropPolicy::kDropNewest, 1);
  Push("a");
  const int num_changes = consumer_.num_changes;
  Push("b");
  EXPECT_EQ(edge_->Look().bound, Time::Milliseconds(1).Next());
  EXPECT_EQ(consumer_.num_changes, num_changes + 1);
}

TEST_F(DropPolicyTest, LatestKeepsTheNewestOnly) {
  Make(DropPolicy::kLatest, 8);
  for (const char* text : {"a", "b", "c"}) EXPECT_TRUE(Push(text));
  EXPECT_THAT(producer_.drops, testing::ElementsAre("a latest", "b latest"));
  EXPECT_EQ(Rest(), "c");
}

TEST_F(DropPolicyTest, ErrorsAreNeverDropped) {
  Make(DropPolicy::kDropOldest, 2);
  PushError("one");
  Push("a");
  Push("b");
  EXPECT_EQ(Rest(), "!one b");
  Make(DropPolicy::kDropNewest, 2);
  Push("a");
  Push("b");
  EXPECT_TRUE(PushError("two"));
  EXPECT_EQ(Rest(), "a !two");
  Make(DropPolicy::kLatest, 2);
  Push("a");
  PushError("three");
  Push("b");
  EXPECT_EQ(Rest(), "!three b");
}

TEST_F(DropPolicyTest, AnEdgeFullOfErrorsMakesItsProducerWait) {
  for (const DropPolicy policy : {DropPolicy::kDropOldest, DropPolicy::kLatest}) {
    Make(policy, 2);
    PushError("one");
    PushError("two");
    EXPECT_FALSE(Push("a")) << ToString(policy);
    const int num_changes = producer_.num_changes;
    EXPECT_EQ(Rest(), "!one !two");
    EXPECT_EQ(producer_.num_changes, num_changes + 1);
  }
  Make(DropPolicy::kDropNewest, 1);
  PushError("one");
  EXPECT_TRUE(Push("a"));
  EXPECT_FALSE(PushError("two"));
}

TEST_F(DropPolicyTest, FailNamesTheEdgeAndHowFullItIs) {
  Make(DropPolicy::kFail, 1);
  EXPECT_TRUE(Push("a"));
  EXPECT_TRUE(edge_->HasRoom());
  try {
    Push("b");
    FAIL();
  } catch (const EdgeFullError& error) {
    EXPECT_EQ(error.what(), "edge a.out -> b.in is full (1 of 1 packets, " + std::to_string(BytesOf(1)) +
                                " of 1000 bytes, bound 0.000000001s) and its policy is to fail");
  }
  EXPECT_EQ(source_->num_returned, 1);
  EXPECT_EQ(Rest(), "a");
}

TEST_F(DropPolicyTest, MediaTimeIsALimitToo) {
  Make(DropPolicy::kBlock, 100, 1000, Duration::Milliseconds(2));
  EXPECT_TRUE(Push("a"));
  EXPECT_TRUE(Push("b"));
  EXPECT_TRUE(Push("c"));  // exactly two milliseconds after the first
  EXPECT_FALSE(Push("d"));
  EXPECT_EQ(Rest(), "a b c");
  EXPECT_EQ(producer_.num_changes, 1);
  Make(DropPolicy::kDropOldest, 100, 1000, Duration::Milliseconds(2));
  for (const char* text : {"a", "b", "c", "d", "e"}) EXPECT_TRUE(Push(text));
  EXPECT_EQ(Rest(), "c d e");
}

TEST_F(DropPolicyTest, MediaTimeMaySpanAllOfIt) {
  Make(DropPolicy::kBlock, 100, 1000, Duration::Seconds(1));
  EXPECT_TRUE(Push(Packet::Make(Word{"a", 1}, Time::Nanoseconds(std::numeric_limits<int64_t>::min() + 2))));
  EXPECT_FALSE(Push(Packet::Make(Word{"b", 1}, Time::Nanoseconds(std::numeric_limits<int64_t>::max() - 1))));
}

TEST_F(DropPolicyTest, DropsFromAPacketUpToTheNextKey) {
  Make(DropPolicy::kDropOldest, 4);
  for (const char* text : {"K0", "p1", "p2", "K3"}) PushCoded(text);
  EXPECT_TRUE(PushCoded("p4"));
  EXPECT_THAT(producer_.drops, testing::ElementsAre("K0 full_oldest", "p1 group", "p2 group"));
  EXPECT_EQ(Rest(), "K3 p4");
  EXPECT_EQ(Drops(DropReason::kGroup), 2u);
}

TEST_F(DropPolicyTest, ABrokenGroupIsOfNoUseUntilTheNextKey) {
  Make(DropPolicy::kDropOldest, 2);
  for (const char* text : {"K0", "p1", "p2", "p3", "K4", "p5"}) EXPECT_TRUE(PushCoded(text));
  EXPECT_THAT(producer_.drops, testing::ElementsAre("K0 full_oldest", "p1 group", "p2 group", "p3 group"));
  EXPECT_EQ(Rest(), "K4 p5");
  Make(DropPolicy::kDropNewest, 2);
  producer_.drops.clear();
  for (const char* text : {"K0", "p1", "p2"}) EXPECT_TRUE(PushCoded(text));
  EXPECT_EQ(Rest(), "K0 p1");
  EXPECT_TRUE(PushCoded("p3"));  // there is room, but what it builds on is gone
  EXPECT_TRUE(PushCoded("K4"));
  EXPECT_THAT(producer_.drops, testing::ElementsAre("p2 full_newest", "p3 group"));
  EXPECT_EQ(Rest(), "K4");
}

TEST_F(DropPolicyTest, LatestKeepsTheNewestGroup) {
  Make(DropPolicy::kLatest, 3);
  for (const char* text : {"K0", "p1"}) PushCoded(text);
  EXPECT_TRUE(producer_.drops.empty());
  PushCoded("K2");
  EXPECT_THAT(producer_.drops, testing::ElementsAre("K0 latest", "p1 latest"));
  for (const char* text : {"p3", "p4", "p5"}) PushCoded(text);
  EXPECT_EQ(Rest(), "");  // the group did not fit
  PushCoded("K6");
  EXPECT_EQ(Rest(), "K6");
}

TEST_F(DropPolicyTest, AnEdgeIntoAJoinReturnsEachCreditOnce) {
  for (const DropPolicy policy : {DropPolicy::kDropOldest, DropPolicy::kDropNewest, DropPolicy::kLatest}) {
    const int num_returned = source_->num_returned;
    edge_ = std::make_unique<Edge>(
        "a.out -> b.in", EdgeLimits{.packets = 2, .policy = policy, .releases_credits = true}, producer_, consumer_);
    for (const char* text : {"a", "b", "c"}) EXPECT_TRUE(Push(text));
    EXPECT_EQ(source_->num_returned, num_returned + 3) << ToString(policy);
    edge_->DropOldest(DropReason::kStall);
    edge_->Close();
    Push("d");
    EXPECT_EQ(source_->num_returned, num_returned + 4) << ToString(policy);
  }
  // Nobody holds any of them now: whoever does next takes a credit.
  const int num_taken = source_->num_taken;
  for (const ItemRef& item : items_) item->Acquire();
  EXPECT_EQ(source_->num_taken, num_taken + static_cast<int>(items_.size()));
}

TEST_F(DropPolicyTest, DropOldestFromOutsideLetsTheProducerGoOn) {
  Make(DropPolicy::kBlock, 2);
  PushError("one");
  Push("a");
  EXPECT_FALSE(Push("b"));
  EXPECT_TRUE(edge_->DropOldest(DropReason::kStall));
  EXPECT_EQ(producer_.num_changes, 1);
  EXPECT_THAT(producer_.drops, testing::ElementsAre("a stall"));
  EXPECT_FALSE(edge_->DropOldest(DropReason::kStall));
  EXPECT_EQ(Rest(), "!one");
}

TEST_F(DropPolicyTest, ForcedFullSaysSoAndTellsTheProducerAtOnce) {
  Make(DropPolicy::kBlock, 2);
  edge_->ForceFull(1);
  EXPECT_FALSE(edge_->HasRoom());
  EXPECT_EQ(producer_.num_changes, 1);
  EXPECT_TRUE(edge_->HasRoom());
  EXPECT_FALSE(Push("a"));
  EXPECT_EQ(producer_.num_changes, 2);
  EXPECT_TRUE(Push("b"));
  EXPECT_EQ(Rest(), "b");
}

TEST(EdgeWordsTest, EveryWordIsReadBack) {
  for (const std::string& word : DropPolicyWords()) EXPECT_EQ(ToString(*ParseDropPolicy(word)), word);
  EXPECT_FALSE(ParseDropPolicy("grow"));
}

}  // namespace
}  // namespace percept::graph
