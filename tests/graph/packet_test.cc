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
  EXPECT_EQ(copy.bytes(), 7u);
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
  const Packet packet = MakeWord("a", 5)
                            .WithDuration(Duration::Milliseconds(40))
                            .WithFlag(Packet::kGap)
                            .WithSequence(9)
                            .WithOrigin(origin)
                            .WithTimestamp(Time::Milliseconds(6));
  EXPECT_EQ(packet.timestamp(), Time::Milliseconds(6));
  EXPECT_EQ(packet.duration(), Duration::Milliseconds(40));
  EXPECT_TRUE(packet.has(Packet::kGap));
  EXPECT_FALSE(packet.has(Packet::kDiscontinuity));
  EXPECT_EQ(packet.sequence(), 9u);
  EXPECT_EQ(packet.item_label(), "x.png");
  EXPECT_EQ(packet.origin().epoch, 2);
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
  void ReturnCredit() override { ++num_returned; }
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
  EXPECT_TRUE(item.MarkFailed());
  EXPECT_FALSE(item.MarkFailed());
}

}  // namespace
}  // namespace percept::graph
