// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/cli/program.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"

namespace percept::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr char kQuestion[] = "Read all text in the image.";

std::string Media(const std::string& name) { return (TestDataDir() / "bad_media" / name).string(); }

Outcome Ask(std::vector<std::string> flags) {
  flags.insert(flags.begin(), {"ask", kQuestion});
  return RunProgram(flags);
}

TEST(Ask, AnswersAboutAPicture) {
  const Outcome outcome = Ask({"--image", Media("plain.png")});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "Invoice 204\n");
  EXPECT_EQ(outcome.err, "");
}

TEST(Ask, SaysWhereTheAnswerIsCut) {
  const Outcome outcome = Ask({"-i", Media("plain.png"), "--max-tokens", "3"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "Inv\n");
  EXPECT_EQ(outcome.err, "percept: the answer is cut after 3 tokens\n");
}

TEST(Ask, DrawsTheSameForASeed) {
  const auto drawn = [](const char* seed) {
    return Ask({"-i", Media("plain.png"), "--temperature", "3", "--top-k", "0", "--top-p", "1", "--seed", seed,
                "--max-tokens", "20", "--mode", "exact"})
        .out;
  };
  const std::string first = drawn("1");
  EXPECT_EQ(drawn("1"), first);
  EXPECT_NE(drawn("2"), first);
}

TEST(Ask, KeepsToChoicesAndSchemas) {
  const Outcome chosen = Ask({"-i", Media("plain.png"), "--choice", "Invoice 7", "--choice", "Receipt 7"});
  EXPECT_EQ(chosen.out, "Invoice 7\n") << chosen.err;
  const TempFolder folder;
  const std::string schema =
      R"({"type":"object","required":["kind","no"],"properties":{)"
      R"("kind":{"enum":["Invoice","Receipt"]},"no":{"type":"integer"},"paid":{"type":"boolean"}}})";
  const Outcome json = Ask({"-i", Media("plain.png"), "--max-tokens", "200", "--max-repeats", "0", "--schema",
                            folder.Write("schema.json", schema).string()});
  EXPECT_EQ(json.exit_code, 0) << json.err;
  EXPECT_THAT(json.out, StartsWith("{\"kind\":"));
  const Outcome wrong = Ask({"--schema", folder.Write("wrong.json", R"({"type":"any"})").string()});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_EQ(wrong.err, "percept: the schema has the unknown type \"any\"\n");
}

TEST(Ask, NeedsNoPicture) {
  const Outcome outcome = Ask({"--system", "You read.", "--thinking", "--max-tokens", "2"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

TEST(Ask, NamesWhatIsWrong) {
  const Outcome missing = Ask({"-i", "/nowhere.png"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, StartsWith("percept: /nowhere.png: "));
  const Outcome cold = Ask({"--temperature", "-1"});
  EXPECT_EQ(cold.exit_code, 2);
  EXPECT_EQ(cold.err, "percept: temperature is -1.000000: expected 0 or more\n");
  EXPECT_EQ(Ask({"-i", Media("plain.png"), "--budget", "71"}).exit_code, 2);
  EXPECT_EQ(RunProgram({"ask"}).exit_code, 2);
  EXPECT_THAT(Ask({"--model", "/nowhere"}).err, HasSubstr("/nowhere"));
}

}  // namespace
}  // namespace percept::cli
