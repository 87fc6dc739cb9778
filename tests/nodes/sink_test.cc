// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "nodes/sink/text_file.h"
#include "tests/nodes/node_run.h"
#include "tests/support/temp_folder.h"

namespace percept::nodes {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Media(const std::string& name) { return (TestDataDir() / "bad_media" / name).string(); }

std::string ReadText(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::string> Names(const TempFolder& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    names.push_back(entry.path().filename());
  }
  return names;
}

std::string Reading(const std::string& path, const std::string& sink) {
  return "  read: { type: image.file, path: " + path +
         " }\n  see: { type: encode.vision, in: read.image }\n"
         "  say: { type: decode.gemma4, in: see.tokens, prompt: Read all text in the image. }\n"
         "  out: { in: say.record, " +
         sink + " }\n";
}

// What a pipeline with this sink writes to standard output.
std::string Output(const std::string& path, const std::string& sink) {
  TextKeeper output;
  RuntimeOptions options = TestOptions();
  options.standard_output = &output;
  Runtime runtime(std::move(options));
  RunNodes(Reading(path, sink), runtime);
  return output.text();
}

std::vector<nlohmann::ordered_json> Lines(const std::string& text) {
  std::vector<nlohmann::ordered_json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(nlohmann::ordered_json::parse(line));
  }
  return lines;
}

std::vector<std::string> Keys(const nlohmann::ordered_json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) {
    keys.push_back(key);
  }
  return keys;
}

TEST(SinkText, WritesOneTextAlone) { EXPECT_EQ(Output(Media("plain.png"), "type: sink.text"), "Invoice 204\n"); }

TEST(SinkText, WritesHeadersWhereThereAreSeveral) {
  const std::string three = "[ " + Media("plain.png") + ", " + Media("empty.png") + ", " + Media("grey.png") + " ]";
  EXPECT_EQ(Output(three, "type: sink.text"),
            "==> " + Media("plain.png") + " <==\nInvoice 204\n\n==> " + Media("grey.png") + " <==\nInvoice 204\n");
  EXPECT_EQ(Output(three, "type: sink.text, headers: never"), "Invoice 204\nInvoice 204\n");
  EXPECT_EQ(Output(Media("plain.png"), "type: sink.text, headers: always"),
            "==> " + Media("plain.png") + " <==\nInvoice 204\n");
}

TEST(SinkText, WritesAFileAnew) {
  const TempFolder folder;
  const std::filesystem::path file = folder.Write("answers.txt", std::string(1000, 'x'));
  Runtime runtime(TestOptions());
  RunNodes(Reading(Media("plain.png"), "type: sink.text, path: " + file.string()), runtime);
  EXPECT_EQ(ReadText(file), "Invoice 204\n");
}

TEST(SinkText, LeavesTheOldFileAloneWhereThereIsNothingToWrite) {
  const TempFolder folder;
  const std::filesystem::path file = folder.Write("answers.txt", "old");
  Runtime runtime(TestOptions());
  RunNodes(Reading(Media("empty.png"), "type: sink.text, path: " + file.string()), runtime);
  EXPECT_EQ(ReadText(file), "old");
  EXPECT_THAT(Names(folder), ElementsAre("answers.txt"));
}

TEST(SinkText, MayReplaceWhatItReads) {
  const TempFolder folder;
  const std::filesystem::path file = folder.Write("plain.png", ReadText(Media("plain.png")));
  std::filesystem::permissions(file, std::filesystem::perms(0600));
  Runtime runtime(TestOptions());
  RunNodes(Reading(file.string(), "type: sink.text, path: " + file.string()), runtime);
  EXPECT_EQ(ReadText(file), "Invoice 204\n");
  EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms(0600));
  EXPECT_THAT(Names(folder), ElementsAre("plain.png"));
}

TEST(SinkText, WritesThroughLinks) {
  const TempFolder folder;
  std::filesystem::create_directory(folder.path() / "there");
  std::filesystem::create_symlink("there/real.txt", folder.path() / "link.txt");
  Runtime runtime(TestOptions());
  for (int i = 0; i < 2; ++i) {
    RunNodes(Reading(Media("plain.png"), "type: sink.text, path: " + (folder.path() / "link.txt").string()), runtime);
    EXPECT_TRUE(std::filesystem::is_symlink(folder.path() / "link.txt"));
    EXPECT_EQ(ReadText(folder.path() / "there/real.txt"), "Invoice 204\n");
    std::ofstream(folder.path() / "there/real.txt") << "old";
  }
}

TEST(SinkText, WritesDevicesAsTheyAre) {
  Runtime runtime(TestOptions());
  const auto run = [&](const std::string& path) {
    return RunNodes(Reading(Media("plain.png"), "type: sink.text, path: " + path), runtime);
  };
  EXPECT_EQ(run("/dev/null").status, graph::RunStatus::kFinished);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  const graph::RunResult full = run("/dev/full");
  ASSERT_EQ(full.status, graph::RunStatus::kFailed);
  EXPECT_EQ(full.error->message,
            "test.yaml:6:3: node 'out' (sink.text) failed: /dev/full: cannot be written: No space left on device");
}

TEST(TextFile, KeepsWhatWasWrittenBeforeARunEndedEarly) {
  const TempFolder folder;
  const std::filesystem::path file = folder.Write("answers.txt", "old");
  const Runtime runtime(TestOptions());
  {
    TextFile output(file.string(), runtime);
    EXPECT_EQ(ReadText(file), "old");
  }
  EXPECT_EQ(ReadText(file), "old");
  {
    TextFile output(file.string(), runtime);
    output.Write("one\n");
    EXPECT_EQ(ReadText(file), "old");
  }
  EXPECT_EQ(ReadText(file), "one\n");
  EXPECT_THAT(Names(folder), ElementsAre("answers.txt"));
}

// Two sinks of one graph, each with its own way to name the file.
std::string TwoSinks(const std::string& first, const std::string& second) {
  return Reading(Media("plain.png"), "type: sink.text, path: " + first) +
         "  lines: { type: sink.jsonl, in: say.record, path: " + second + " }\n";
}

TEST(Sinks, OneFileIsWrittenByOneSink) {
  const TempFolder folder;
  const std::filesystem::path file = folder.Write("answers.txt", "old");
  std::filesystem::create_symlink("answers.txt", folder.path() / "link");
  const std::string link = (folder.path() / "." / "link").string();
  Runtime runtime(TestOptions());
  try {
    RunNodes(TwoSinks(file.string(), link), runtime);
    FAIL() << "ran";
  } catch (const graph::DefinitionError& error) {
    EXPECT_EQ(error.what(), "test.yaml:7:52: 'path' is " + link + ": another sink of this run writes " +
                                std::filesystem::canonical(file).string());
  }
  EXPECT_EQ(ReadText(file), "old");
  EXPECT_EQ(RunNodes(TwoSinks(file.string(), link + "2"), runtime).status, graph::RunStatus::kFinished);
  EXPECT_EQ(ReadText(file), "Invoice 204\n");
}

TEST(Sinks, ShareStandardOutputAndDevices) {
  TextKeeper output;
  RuntimeOptions options = TestOptions();
  options.standard_output = &output;
  Runtime runtime(std::move(options));
  EXPECT_EQ(RunNodes(TwoSinks("\"-\"", "\"-\""), runtime).status, graph::RunStatus::kFinished);
  EXPECT_EQ(RunNodes(TwoSinks("/dev/null", "/dev/null"), runtime).status, graph::RunStatus::kFinished);
}

TEST(SinkText, StopsTheGraphWhereItsFileCannotBeWritten) {
  Runtime runtime(TestOptions());
  const graph::RunResult result =
      RunNodes(Reading(Media("plain.png"), "type: sink.text, path: /no/such/folder/a.txt"), runtime);
  ASSERT_EQ(result.status, graph::RunStatus::kFailed);
  EXPECT_THAT(
      result.error->message,
      HasSubstr("test.yaml:6:3: node 'out' (sink.text) failed: /no/such/folder/a.txt: cannot be written: No such"));
}

TEST(SinkText, StopsTheGraphWhereThereIsNoStandardOutput) {
  Runtime runtime(TestOptions());
  const graph::RunResult result = RunNodes(Reading(Media("plain.png"), "type: sink.text"), runtime);
  ASSERT_EQ(result.status, graph::RunStatus::kFailed);
  EXPECT_THAT(result.error->message, HasSubstr("there is no standard output to write"));
}

TEST(SinkJsonl, KeepsOneOrderOfFields) {
  const auto lines = Lines(Output(Media("rgba.png"), "type: sink.jsonl"));
  ASSERT_EQ(lines.size(), 1U);
  const auto& record = lines[0];
  EXPECT_THAT(Keys(record), ElementsAre("item", "timestamp_s", "epoch", "text", "error", "finish", "model", "mode",
                                        "sampling", "pictures", "tokens", "timing_ms"));
  EXPECT_EQ(record["item"], Media("rgba.png"));
  EXPECT_EQ(record["text"], "Invoice 204");
  EXPECT_TRUE(record["error"].is_null());
  EXPECT_EQ(record["finish"], "stop");
  EXPECT_EQ(record["model"]["name"], "percept-tiny");
  EXPECT_EQ(record["mode"], "fast");
  EXPECT_EQ(record["sampling"]["temperature"], 0.0);
  EXPECT_EQ(record["pictures"][0].dump(), nlohmann::ordered_json({{"source", Media("rgba.png")},
                                                                  {"width", 240},
                                                                  {"height", 168},
                                                                  {"resized_width", 480},
                                                                  {"resized_height", 336},
                                                                  {"budget", 70},
                                                                  {"soft_tokens", 70},
                                                                  {"repairs", {"transparency dropped"}}})
                                              .dump());
  EXPECT_EQ(record["tokens"]["soft"], 70);
  EXPECT_EQ(record["tokens"]["output"], 11);
  EXPECT_THAT(Keys(record["timing_ms"]), ElementsAre("read", "preprocess", "encode", "queued", "prefill", "decode"));
}

TEST(SinkJsonl, AnItemThatFailedHasALineAtItsPlace) {
  const auto lines =
      Lines(Output("[ " + Media("plain.png") + ", " + Media("cut_at_half.jpg") + ", " + Media("plain.jpg") + " ]",
                   "type: sink.jsonl"));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0]["text"], "Invoice 204");
  EXPECT_THAT(Keys(lines[1]), ElementsAre("item", "timestamp_s", "epoch", "text", "error"));
  EXPECT_EQ(lines[1]["item"], Media("cut_at_half.jpg"));
  EXPECT_EQ(lines[1]["timestamp_s"], 1.0);
  EXPECT_TRUE(lines[1]["text"].is_null());
  EXPECT_EQ(lines[1]["error"]["kind"], "bad_input");
  EXPECT_THAT(lines[1]["error"]["reason"].get<std::string>(), HasSubstr("truncated"));
  EXPECT_EQ(lines[1]["error"]["node"], "read");
  EXPECT_EQ(lines[2]["text"], "Invoice 204");
}

TEST(SinkJsonl, ANameThatIsNotUtf8StillGivesJson) {
  const TempFolder folder;
  const std::filesystem::path file = folder.Write("\xff.png", ReadText(Media("plain.png")));
  const auto lines = Lines(Output("\"" + folder.path().string() + "/\\xff.png\"", "type: sink.jsonl"));
  ASSERT_EQ(lines.size(), 1U);
}

}  // namespace
}  // namespace percept::nodes
