// SPDX-License-Identifier: Apache-2.0
#include "cli/machine.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <sstream>
#include <string>

#include "tests/support/temp_folder.h"

namespace percept::cli {
namespace {

class FreeInCgroupsTest : public testing::Test {
 protected:
  void Group(const std::string& path, const std::string& limit, const std::string& used, const std::string& stat) {
    std::filesystem::create_directories(mount_.path() / path);
    mount_.Write(path + "memory.max", limit + "\n");
    mount_.Write(path + "memory.current", used + "\n");
    mount_.Write(path + "memory.stat", stat);
  }
  int64_t Free(const std::string& groups, int64_t otherwise = 5000) {
    std::istringstream lines(groups);
    return FreeInCgroups(lines, mount_.path(), otherwise);
  }
  const TempFolder mount_;
};

TEST_F(FreeInCgroupsTest, IsWhatTheNarrowestLevelLeaves) {
  Group("a/", "1000", "700", "anon 500\nfile 200\nkernel 10\n");
  Group("a/b/", "max", "600", "anon 400\nfile 200\n");
  Group("a/b/c/", "2000", "300", "anon 300\nfile 0\n");
  EXPECT_EQ(Free("4:memory:/x\n0::/a/b/c\n"), 500);
  EXPECT_EQ(Free("0::/a/b/c\n", 400), 400);
}

TEST_F(FreeInCgroupsTest, IsTheMachinesWhereNothingIsLimited) {
  Group("a/", "max", "700", "file 200\n");
  EXPECT_EQ(Free("0::/a\n"), 5000);
  EXPECT_EQ(Free("0::/not/there\n"), 5000);
  EXPECT_EQ(Free("4:memory:/a\n"), 5000);
}

TEST_F(FreeInCgroupsTest, IsNothingWhereMoreIsHeldThanAllowed) {
  Group("a/", "1000", "1400", "file 0\n");
  EXPECT_EQ(Free("0::/a\n"), 0);
}

// A container sees its own group as the root.
TEST_F(FreeInCgroupsTest, CountsTheRoot) {
  Group("", "1000", "100", "file 0\n");
  EXPECT_EQ(Free("0::/\n"), 900);
}

}  // namespace
}  // namespace percept::cli
