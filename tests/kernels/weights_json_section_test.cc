// SPDX-License-Identifier: Apache-2.0
// JSON files that say something else to every reader, or want more than they are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "kernels/core/error.h"
#include "kernels/weights/json_section.h"
#include "tests/support/temp_folder.h"

namespace percept {
namespace {

using testing::EndsWith;
using testing::ThrowsMessage;

void ExpectRefusal(const std::string& json, const std::string& message) {
  EXPECT_THAT([&] { JsonSection::ParseRoot(json, "config.json"); },
              ThrowsMessage<CheckpointError>("config.json: " + message));
}

TEST(JsonSectionTest, AKeyGivenTwiceIsRefused) {
  ExpectRefusal(R"({"a": 1, "b": {"a": 2}, "a": 1})", "the key 'a' is given twice in one object");
  ExpectRefusal(R"({"x": [{"k": 1}, {"k": 1, "k": 2}]})", "the key 'k' is given twice in one object");
  EXPECT_EQ(JsonSection::ParseRoot(R"({"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]})", "config.json").size(), 2u);
}

TEST(JsonSectionTest, DepthIsBounded) {
  const auto nested = [](size_t depth) {
    return R"({"a": )" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_NO_THROW(JsonSection::ParseRoot(nested(63), "config.json"));
  ExpectRefusal(nested(64), "is nested more than 64 deep");
  ExpectRefusal(R"({"a": )" + std::string(1'000'000, '['), "is nested more than 64 deep");
}

TEST(JsonSectionTest, LongWordsOfTheFileAreCutInMessages) {
  const std::string file = "config.json";
  const nlohmann::json root = {{std::string(500, 'k'), "\x1B[2J"}};
  const JsonSection section(root, "", file);
  EXPECT_THAT([&] { section.Int(std::string(500, 'k'), 0, 1); },
              ThrowsMessage<CheckpointError>("config.json: " + std::string(200, 'k') +
                                             "… is not an integer but \"\\u001b[2J\""));
}

TEST(JsonSectionTest, NumbersAreNotRoundedOrWrapped) {
  const std::string file = "config.json";
  const nlohmann::json root =
      JsonSection::ParseRoot(R"({"a": 4294967297, "b": -1, "c": 2.0, "d": [5, 5, 4294967297]})", file);
  const JsonSection section(root, "", file);
  EXPECT_THAT([&] { section.Int("a", 0, 9); },
              ThrowsMessage<CheckpointError>("config.json: a is 4294967297, outside 0..9"));
  EXPECT_THAT([&] { section.Int("b", 0, 9); }, ThrowsMessage<CheckpointError>("config.json: b is -1, outside 0..9"));
  EXPECT_THAT([&] { section.Int("c", 0, 9); },
              ThrowsMessage<CheckpointError>("config.json: c is not an integer but 2.0"));
  EXPECT_THAT([&] { section.Ids("d"); },
              ThrowsMessage<CheckpointError>("config.json: d holds 4294967297, which is no token id"));
}

TEST(ReadTextFileTest, WhatIsNoFileOrNoSmallOneIsRefused) {
  const TempFolder folder;
  EXPECT_THAT([&] { ReadTextFile(folder.path()); },
              ThrowsMessage<CheckpointError>(folder.path().string() + ": is a folder, not a file"));
  EXPECT_THAT([&] { ReadTextFile(folder.path() / "none"); },
              ThrowsMessage<CheckpointError>(EndsWith("none: cannot be opened")));
  const auto file = folder.Write("large.json", "{}");
  std::filesystem::resize_file(file, (size_t{1} << 26) + 1);  // without taking that much of the disk
  EXPECT_THAT([&] { ReadTextFile(file); },
              ThrowsMessage<CheckpointError>(
                  EndsWith("large.json: has more than 67108864 bytes, far above what such a file needs")));
}

}  // namespace
}  // namespace percept
