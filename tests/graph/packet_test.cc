// SPDX-License-Identifier: Apache-2.0
#include "graph/packet/packet.h"

#include <gtest/gtest.h>

#include "tests/support/word_payload.h"

namespace percept::graph {
namespace {

TEST(PacketTest, CopiesShareThePayload) {
  const Packet packet = MakeWord("a", 40, 7);
  const Packet copy(packet);  // NOLINT(performance-unnecessary-copy-initialization): what is tested
  EXPECT_EQ(&copy.Get<Word>(), &packet.Get<Word>());
  EXPECT_EQ(copy.timestamp(), Time::Milliseconds(40));
  EXPECT_EQ(copy.bytes(), 7 + Packet::OverheadBytes());
  EXPECT_STREQ(copy.type().name, "Word");
}

TEST(PacketTest, ReadingAnotherTypeNamesBoth) {
  try {
    MakeWord("a", 0).Get<Number>();
    FAIL();
  } catch (const PayloadError& error) {
    EXPECT_STREQ(error.what(), "a packet of type Word was read as Number");
  }
  try {
    Packet().Get<Word>();
    FAIL();
  } catch (const PayloadError& error) {
    EXPECT_STREQ(error.what(), "a packet of type none (it is empty) was read as Word");
  }
  EXPECT_TRUE(MakeWord("a", 0).Is<Word>());
  EXPECT_FALSE(MakeWord("a", 0).Is<Number>());
}

TEST(PacketTest, GivesNamedValues) {
  EXPECT_EQ(MakeWord("a", 0).Field("text"), FieldValue(std::string("a")));
  EXPECT_EQ(MakeWord("a", 0).Field("size"), std::nullopt);
  EXPECT_EQ(Packet::Make(Number{1}, Time::Milliseconds(0)).Field("text"), std::nullopt);
  EXPECT_EQ(Packet().Field("text"), std::nullopt);
}

TEST(PacketTest, HasAnOrdinaryTime) {
  for (Time special : {Time::Unset(), Time::Min(), Time::Max()}) {
    EXPECT_THROW(Packet::Make(Word{}, special), std::logic_error);
    EXPECT_THROW(MakeWord("a", 0).WithTimestamp(special), std::logic_error);
  }
}

TEST(PacketTest, CarriesWhatItIsGiven) {
  Origin origin;
  origin.item = std::make_shared<const Item>("x.png", 3, nullptr);
  origin.epoch = 2;
  Packet packet = MakeWord("a", 5)
                      .WithDuration(Duration::Milliseconds(40))
                      .WithFlag(Packet::kGap)
                      .WithOrigin(origin)
                      .WithTimestamp(Time::Milliseconds(6));
  packet.SetSequence(9);
  EXPECT_EQ(packet.timestamp(), Time::Milliseconds(6));
  EXPECT_EQ(packet.duration(), Duration::Milliseconds(40));
  EXPECT_TRUE(packet.has(Packet::kGap));
  EXPECT_FALSE(packet.has(Packet::kDiscontinuity));
  EXPECT_EQ(packet.sequence(), 9u);
  EXPECT_EQ(packet.item_label(), "x.png");
  EXPECT_EQ(packet.origin().epoch, 2);
}

TEST(PacketTest, TakesOverAnOriginButForWhatItsSourceSaid) {
  Origin origin;
  origin.item = std::make_shared<const Item>("x.png", 3, nullptr);
  origin.epoch = 2;
  origin.trace_id = 3;
  origin.capture_time = WallTime(std::chrono::seconds(1));
  Packet plain = MakeWord("a", 5);
  plain.TakeOver(origin);
  EXPECT_EQ(plain.item_label(), "x.png");
  EXPECT_EQ(plain.origin().epoch, 2);
  EXPECT_EQ(plain.origin().trace_id, 3u);
  EXPECT_EQ(plain.origin().capture_time, origin.capture_time);
  Origin own;
  own.epoch = 7;
  own.capture_time = WallTime(std::chrono::seconds(9));
  Packet marked = MakeWord("a", 5).WithOrigin(own);
  marked.TakeOver(origin);
  EXPECT_EQ(marked.item_label(), "x.png");
  EXPECT_EQ(marked.origin().epoch, 7);
  EXPECT_EQ(marked.origin().capture_time, own.capture_time);
}

TEST(PacketTest, ErrorNamesItsCause) {
  const Packet packet = Packet::MakeError({ErrorKind::kBadInput, "x.png", "cut short", "read"}, Time::Milliseconds(1));
  EXPECT_TRUE(packet.is_error());
  EXPECT_FALSE(packet.Is<Word>());
  EXPECT_EQ(packet.Get<ErrorPayload>().reason, "cut short");
  EXPECT_EQ(Describe(packet), "0.001s bad_input from 'read': cut short");
}

// Counts what comes back.
class CountReturns : public CreditReturn {
 public:
  void TakeCredit() override { ++num_taken; }
  void ReturnCredit() override { ++num_returned; }
  int num_taken = 0;
  int num_returned = 0;
};

TEST(ItemTest, CreditReturnsWithTheLastHolder) {
  auto source = std::make_shared<CountReturns>();
  Item item("x.png", 1, source);
  item.Acquire();
  item.Acquire();
  item.Release();
  EXPECT_EQ(source->num_returned, 0);
  item.Release();
  EXPECT_EQ(source->num_returned, 1);
  EXPECT_EQ(source->num_taken, 1);
  item.Acquire();  // whoever holds it next takes a credit again
  EXPECT_EQ(source->num_taken, 2);
  item.Release();
  EXPECT_EQ(source->num_returned, 2);
  EXPECT_TRUE(item.MarkFailed());
  EXPECT_FALSE(item.MarkFailed());
}

}  // namespace
}  // namespace percept::graph
