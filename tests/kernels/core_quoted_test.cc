// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "kernels/core/quoted.h"

namespace percept {
namespace {

TEST(Quoted, PlainWordsStayAsTheyAre) {
  EXPECT_EQ(Quoted("blk.0.attn_q.weight"), "'blk.0.attn_q.weight'");
  EXPECT_EQ(Quoted(""), "''");
  EXPECT_EQ(Shown("Größe 漢字 🇪🇺"), "Größe 漢字 🇪🇺");
}

TEST(Quoted, WhatATerminalWouldObeyIsEscaped) {
  EXPECT_EQ(Shown("a\x1B[31mb\n\tc\x7F"), "a\\x1B[31mb\\n\\tc\\x7F");
  EXPECT_EQ(Shown("\xC2\x9B"), "\\xC2\\x9B") << "a control character of two bytes";
  EXPECT_EQ(Shown(std::string_view("\0", 1)), "\\x00");
}

TEST(Quoted, WhatIsNoUtf8IsEscaped) {
  EXPECT_EQ(Shown("\xFF\xC3"), "\\xFF\\xC3");
  EXPECT_EQ(Shown("\xE6\xBC"), "\\xE6\\xBC") << "cut within a character";
  EXPECT_EQ(Shown("\xC0\xAF"), "\\xC0\\xAF") << "a character in more bytes than it takes";
  EXPECT_EQ(Shown("\x80z"), "\\x80z");
}

TEST(Quoted, LongWordsAreCutBetweenCharacters) {
  EXPECT_EQ(Shown(std::string(200, 'k')), std::string(200, 'k'));
  EXPECT_EQ(Shown(std::string(201, 'k')), std::string(200, 'k') + "…");
  EXPECT_EQ(Shown(std::string(199, 'k') + "éz"), std::string(199, 'k') + "é…");
}

}  // namespace
}  // namespace percept
