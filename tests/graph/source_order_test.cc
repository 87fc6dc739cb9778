// SPDX-License-Identifier: Apache-2.0
#include "graph/node/source_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/word_payload.h"

namespace percept::graph {
namespace {

using testing::ElementsAre;
using Place = SourceOrder::Place;

std::vector<std::string> TakeOut(SourceOrder& order) {
  std::vector<std::string> out;
  while (const std::optional<Packet> packet = order.Next()) out.push_back(Describe(*packet));
  return out;
}

TEST(SourceOrderTest, PutsPacketsOfOneWindowInOrder) {
  SourceOrder order(Duration::Milliseconds(40));
  EXPECT_EQ(order.Take(MakeWord("a", 0)), Place::kInOrder);
  EXPECT_THAT(TakeOut(order), ElementsAre());
  EXPECT_EQ(order.Take(MakeWord("c", 40)), Place::kInOrder);
  EXPECT_THAT(TakeOut(order), ElementsAre("0s a"));
  EXPECT_EQ(order.Take(MakeWord("b", 20)), Place::kRepaired);
  EXPECT_EQ(order.Take(MakeWord("d", 80)), Place::kInOrder);
  EXPECT_THAT(TakeOut(order), ElementsAre("0.02s b", "0.04s c"));
  order.End();
  EXPECT_THAT(TakeOut(order), ElementsAre("0.08s d"));
  EXPECT_TRUE(order.empty());
}

TEST(SourceOrderTest, KeepsEqualTimesAsTheyCame) {
  SourceOrder order(Duration::Milliseconds(40));
  for (const char* word : {"a", "b", "c"}) EXPECT_EQ(order.Take(MakeWord(word, 7)), Place::kInOrder);
  order.End();
  EXPECT_THAT(TakeOut(order), ElementsAre("0.007s a", "0.007s b", "0.007s c"));
}

TEST(SourceOrderTest, RefusesWhatIsLaterThanTheWindow) {
  SourceOrder order(Duration::Milliseconds(40));
  EXPECT_EQ(order.Take(MakeWord("a", 0)), Place::kInOrder);
  EXPECT_EQ(order.Take(MakeWord("b", 30)), Place::kInOrder);
  EXPECT_EQ(order.Take(MakeWord("c", 80)), Place::kInOrder);
  EXPECT_THAT(TakeOut(order), ElementsAre("0s a", "0.03s b"));
  EXPECT_EQ(order.Take(MakeWord("late", 29)), Place::kLate);
  EXPECT_EQ(order.Take(MakeWord("d", 30)), Place::kRepaired);
}

TEST(SourceOrderTest, WithoutAWindowKeepsNothing) {
  SourceOrder order(Duration{});
  order.Take(MakeWord("a", 40));
  EXPECT_THAT(TakeOut(order), ElementsAre("0.04s a"));
  EXPECT_EQ(order.Take(MakeWord("b", 20)), Place::kLate);
  EXPECT_EQ(order.Take(MakeWord("c", 40)), Place::kInOrder);
}

TEST(SourceOrderTest, BeginsAnewAfterTheEnd) {
  SourceOrder order(Duration::Milliseconds(40));
  order.Take(MakeWord("a", 500));
  order.End();
  EXPECT_THAT(TakeOut(order), ElementsAre("0.5s a"));
  EXPECT_EQ(order.Take(MakeWord("b", 100)), Place::kInOrder);
  EXPECT_THAT(TakeOut(order), ElementsAre());
}

}  // namespace
}  // namespace percept::graph
