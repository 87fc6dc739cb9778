// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "nodes/payload/text.h"
#include "nodes/sink/text_file.h"
#include "tests/nodes/node_run.h"
#include "tests/support/temp_folder.h"

namespace percept::nodes {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Media(const std::string& name) { return (TestDataDir() / "bad_media" / name).string(); }

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

TEST(SinkText, HeadersNameItemsAsTheStreamShowsThem) {
  class Terminal : public TextKeeper {
   public:
    std::string Shown(const std::string& name) const override { return "shown " + name; }
  } output;
  RuntimeOptions options = TestOptions();
  options.standard_output = &output;
  Runtime runtime(std::move(options));
  RunNodes(Reading(Media("plain.png"), "type: sink.text, headers: always"), runtime);
  EXPECT_EQ(output.text(), "==> shown " + Media("plain.png") + " <==\nInvoice 204\n");
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

TEST(TextFile, WhatHasNoRowsIsEmptyOnceItsRunIsKnownNotToHaveFailed) {
  const TempFolder folder;
  const std::filesystem::path file = folder.Write("answers.txt", "old");
  Runtime runtime(TestOptions());
  const std::string pipeline =
      "  words: { type: source.script, count: 0 }\n  out: { type: sink.text, in: words.out, path: " + file.string() +
      " }\n";
  RunNodes(pipeline, runtime);
  EXPECT_EQ(ReadText(file), "old");
  WriteEmptyOutputs(runtime);
  EXPECT_EQ(ReadText(file), "");
  EXPECT_THAT(Names(folder), ElementsAre("answers.txt"));
  folder.Write("answers.txt", "of another");
  WriteEmptyOutputs(runtime);
  EXPECT_EQ(ReadText(file), "of another") << "told once";
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

const TextFile::Cancelled kGoesOn = [] { return false; };

// A file as a sink with this path has it.
TextFile FileOfSink(const std::string& path, Runtime& runtime) {
  graph::ParamValues params;
  params.Set("path", path, {});
  return TextFile(params, runtime);
}

TEST(TextFile, ARunThatEndsEarlyLeavesTheOldFileAndKeepsWhatWasWrittenBesideIt) {
  const TempFolder folder;
  const std::filesystem::path file = folder.Write("answers.txt", "old"), partial = file.string() + ".partial";
  Runtime runtime(TestOptions());
  const auto end_early = [&](const std::string& text) {
    TextFile output = FileOfSink(file.string(), runtime);
    output.Open({}, kGoesOn);
    if (!text.empty()) output.Write(text, kGoesOn);
    output.Close();
    EXPECT_EQ(ReadText(file), "old");
  };
  end_early("");
  EXPECT_THAT(Names(folder), ElementsAre("answers.txt"));
  EXPECT_TRUE(runtime.partial_outputs().empty());
  end_early("one\n");
  EXPECT_EQ(ReadText(partial), "one\n");
  ASSERT_EQ(runtime.partial_outputs().size(), 1U);
  EXPECT_EQ(runtime.partial_outputs()[0].path, file);
  EXPECT_EQ(runtime.partial_outputs()[0].kept, std::filesystem::canonical(partial));
  end_early("two\n");
  EXPECT_EQ(ReadText(partial), "one\n");
  EXPECT_EQ(ReadText(partial.string() + ".2"), "two\n");
  EXPECT_EQ(runtime.partial_outputs()[1].kept, std::filesystem::canonical(partial.string() + ".2"));
  EXPECT_THAT(Names(folder),
              testing::UnorderedElementsAre("answers.txt", "answers.txt.partial", "answers.txt.partial.2"));
}

// Such a name is what /dev/stdout stands for where standard output is a file.
TEST(TextFile, AnOpenFilesNameGoesOnAtItsEnd) {
  const TempFolder folder;
  const std::filesystem::path file = folder.Write("log.txt", "old\n");
  const int descriptor = open(file.c_str(), O_RDWR | O_CLOEXEC);
  Runtime runtime(TestOptions());
  TextFile output = FileOfSink("/proc/self/fd/" + std::to_string(descriptor), runtime);
  output.Open({}, kGoesOn);
  output.Write("new\n", kGoesOn);
  output.Finish();
  output.Close();
  close(descriptor);
  EXPECT_EQ(ReadText(file), "old\nnew\n");
}

TEST(TextFile, TellsWhereWhatWasWrittenCannotBeKept) {
  const TempFolder folder;
  const std::filesystem::path inner = folder.path() / "out";
  std::filesystem::create_directory(inner);
  const std::string file = (inner / "answers.txt").string();
  Runtime runtime(TestOptions());
  TextFile output = FileOfSink(file, runtime);
  output.Open({}, kGoesOn);
  output.Write("one\n", kGoesOn);
  std::filesystem::remove_all(inner);
  output.Close();
  ASSERT_EQ(runtime.partial_outputs().size(), 1U);
  EXPECT_EQ(runtime.partial_outputs()[0].path, file);
  EXPECT_EQ(runtime.partial_outputs()[0].error, "No such file or directory");
}

TEST(TextFile, InACommittedRunTheFileHoldsWhatWasCommitted) {
  const TempFolder folder;
  const std::filesystem::path file = folder.Write("answers.txt", "old");
  Runtime runtime(TestOptions());
  {
    TextFile output = FileOfSink(file.string(), runtime);
    output.Open(0, kGoesOn);
    output.Write("one\n", kGoesOn);
    EXPECT_EQ(output.Commit(), 4);
    output.Write("two\n", kGoesOn);
    EXPECT_EQ(ReadText(file), "one\ntwo\n");
  }
  EXPECT_EQ(ReadText(file), "one\n");
  folder.Write("answers.txt", "one\nleft by a crash");
  {
    TextFile output = FileOfSink(file.string(), runtime);
    output.Open(4, kGoesOn);
    output.Write("two\n", kGoesOn);
    output.Finish();
    EXPECT_EQ(output.Commit(), 8);
  }
  EXPECT_EQ(ReadText(file), "one\ntwo\n");
  EXPECT_THAT(Names(folder), ElementsAre("answers.txt"));
  folder.Write("answers.txt", "one");
  TextFile output = FileOfSink(file.string(), runtime);
  try {
    output.Open(8, kGoesOn);
    FAIL() << "opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), file.string() + ": has 3 bytes, but 8 were written and committed: it was changed since");
  }
}

// While it lives, no file of this process grows beyond so many bytes: as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t size_bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &old_limit_);
    const rlimit limit{size_bytes, old_limit_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &old_limit_);
    std::signal(SIGXFSZ, old_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*old_handler_)(int);
  rlimit old_limit_{};
};

TEST(TextFile, SaysWhatAFullDiskDoes) {
  const TempFolder folder;
  const std::string file = (folder.path() / "answers.txt").string();
  Runtime runtime(TestOptions());
  std::string message;
  {
    const FileSizeLimit limit(100);
    TextFile output = FileOfSink(file, runtime);
    output.Open(0, kGoesOn);
    output.Write("committed\n", kGoesOn);
    output.Commit();
    try {
      output.Write(std::string(200, 'x'), kGoesOn);
    } catch (const Error& error) {
      message = error.what();
    }
  }
  EXPECT_EQ(message, file + ": cannot be written: File too large");
  EXPECT_EQ(ReadText(file), "committed\n");
}

TEST(TextFile, APartialFileEndsWithAWholeRow) {
  const TempFolder folder;
  const std::string file = (folder.path() / "answers.txt").string();
  Runtime runtime(TestOptions());
  {
    const FileSizeLimit limit(100);
    TextFile output = FileOfSink(file, runtime);
    output.Open({}, kGoesOn);
    output.Write("whole\n", kGoesOn);
    EXPECT_THROW(output.Write(std::string(200, 'x'), kGoesOn), Error);
    output.Close();
  }
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_EQ(ReadText(file + ".partial"), "whole\n");
}

// Keeps what is committed, and stops the run at a chunk.
class Commits : public graph::CommitSink {
 public:
  explicit Commits(std::string stop_after = "") : stop_after_(std::move(stop_after)) {}
  void OnChunk(const graph::ChunkCommit& commit) override {
    all.push_back(commit);
    if (!stop_after_.empty() && commit.key == stop_after_) {
      throw Error("stopped");
    }
  }
  std::vector<graph::ChunkCommit> all;

 private:
  const std::string stop_after_;
};

TEST(Sinks, ARunThatIsTakenUpAgainWritesTheSame) {
  const TempFolder folder;
  const std::filesystem::path text = folder.path() / "text", lines = folder.path() / "lines";
  Runtime runtime(TestOptions());
  const auto run = [&](graph::CommitSink* commits, std::optional<graph::ResumePoint> resume) {
    const std::string pictures = "[ " + Media("plain.png") + ", " + Media("empty.png") + ", " + Media("grey.png") +
                                 ", " + Media("plain.jpg") + " ]";
    graph::GraphOptions options;
    options.commits = commits;
    options.resume = std::move(resume);
    return graph::Graph(CheckNodes(Reading(pictures, "type: sink.text, path: " + text.string()) +
                                       "  lines: { type: sink.jsonl, timing: false, in: say.record, path: " +
                                       lines.string() + " }\n",
                                   runtime.registry()),
                        runtime.executor(), runtime.services(), options)
        .Run();
  };
  Commits whole_run;
  EXPECT_EQ(run(&whole_run, {}).num_failed_items, 1U);
  ASSERT_EQ(whole_run.all.size(), 5U);
  EXPECT_EQ(whole_run.all[1].failed_items.at(0).item, Media("empty.png"));
  const std::string whole_text = ReadText(text), whole_lines = ReadText(lines);
  EXPECT_EQ(Lines(whole_lines).size(), 4U);
  for (const std::string chunk : {"0", "1", "2", "3"}) {
    SCOPED_TRACE(chunk);
    Commits first(chunk), second;
    EXPECT_EQ(run(&first, {}).status, graph::RunStatus::kFailed);
    EXPECT_GE(ReadText(text).size(), static_cast<size_t>(first.all.back().positions.at("out")));
    EXPECT_EQ(
        run(&second, graph::ResumePoint{.key = chunk, .positions = first.all.back().positions, .states = {}}).status,
        graph::RunStatus::kFinished);
    EXPECT_EQ(ReadText(text), whole_text);
    EXPECT_EQ(ReadText(lines), whole_lines);
  }
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
                                        "sampling", "pictures", "sounds", "tokens", "timing_ms"));
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

// Texts as a source without a model sends them.
void RegisterTexts(Runtime& runtime) {
  class Texts : public graph::Node {
   public:
    graph::Process Process(graph::NodeContext& context) override {
      context.NewItem("first");
      context.Send("text", graph::Packet::Make(Text{"hello", {{"loud", true}, {"level", 2.5}, {"who", "me"}}},
                                               graph::Time::Seconds(2)));
      return graph::Process::kFinished;
    }
  };
  graph::Contract contract{.type = "test.texts",
                           .doc = "One text.",
                           .example = "say: { type: test.texts }",
                           .outputs = {{.name = "text", .type = "Text", .doc = "one"}},
                           .source = graph::SourceKind::kBatch};
  runtime.registry().Register(
      std::move(contract), [](const graph::ParamValues&, const graph::Services&) { return std::make_unique<Texts>(); });
}

TEST(Sinks, TakePlainTexts) {
  const TempFolder folder;
  Runtime runtime(TestOptions());
  RegisterTexts(runtime);
  RunNodes("  say: { type: test.texts }\n  a: { type: sink.text, in: say, headers: always, path: " +
               (folder.path() / "a").string() +
               " }\n  b: { type: sink.jsonl, in: say, path: " + (folder.path() / "b").string() + " }\n",
           runtime);
  EXPECT_EQ(ReadText(folder.path() / "a"), "==> first <==\nhello\n");
  EXPECT_EQ(ReadText(folder.path() / "b"), R"({"item":"first","timestamp_s":2.0,"epoch":0,"text":"hello","error":null,)"
                                           R"("fields":{"level":2.5,"loud":true,"who":"me"}})"
                                           "\n");
}

TEST(SinkJsonl, ANameThatIsNotUtf8StillGivesJson) {
  const TempFolder folder;
  folder.Write("\xff.png", ReadText(Media("plain.png")));
  const auto lines = Lines(Output("\"" + folder.path().string() + "/\\xff.png\"", "type: sink.jsonl"));
  ASSERT_EQ(lines.size(), 1U);
}

}  // namespace
}  // namespace percept::nodes
