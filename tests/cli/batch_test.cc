// SPDX-License-Identifier: Apache-2.0
// `percept batch` over pictures, as a user runs it and as a machine ends it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/cli/program.h"
#include "tests/support/temp_folder.h"

namespace percept::cli {
namespace {

using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

// Each picture twice: an input of two chunks. Two sinks, of which the slower one holds back the commit.
constexpr const char* kPipeline = R"(percept: 1
params:
  input: { type: path, required: true }
  folder: { type: path, required: true }
nodes:
  read: { type: image.file, path: [ "${input}", "${input}" ] }
  see: { type: encode.vision, in: read.image }
  say: { type: decode.gemma4, in: see.tokens, prompt: "Read all text in the image.", max_tokens: 24 }
  text: { type: sink.text, in: say.record, path: "${folder}/${input.stem}.txt" }
  lines: { type: sink.jsonl, in: say.record, path: "${folder}/${input.stem}.jsonl", timing: false }
)";

constexpr const char* kOlder = "what an earlier run wrote, longer than what the next one will: { }\n";

class BatchProgramTest : public testing::Test {
 protected:
  BatchProgramTest() {
    folder_.Write("p.yaml", kPipeline);
    std::filesystem::create_directory(folder_.path() / "in");
    const std::map<std::string, std::string> pictures = {{"a.png", "plain.png"},
                                                         {"b.png", "grey.png"},
                                                         {"c.png", "rgba.png"},
                                                         {"d.jpg", "cut_at_half.jpg"},
                                                         {"e.jpg", "plain.jpg"}};
    for (const auto& [name, from] : pictures) {
      std::filesystem::copy_file(TestDataDir() / "bad_media" / from, folder_.path() / "in" / name);
    }
  }

  // A run whose files stand in `folder`.
  std::vector<std::string> Command(const std::string& folder, std::vector<std::string> more = {}) const {
    const std::filesystem::path path = folder_.path() / folder;
    std::filesystem::create_directories(path / "out");
    std::vector<std::string> arguments = {"batch",
                                          (folder_.path() / "p.yaml").string(),
                                          (folder_.path() / "in").string(),
                                          "--set",
                                          "folder=" + (path / "out").string(),
                                          "--journal",
                                          (path / "journal").string(),
                                          "--merge",
                                          (path / "out" / "all.jsonl").string(),
                                          "--merge-node",
                                          "lines",
                                          "--mode",
                                          "exact"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Reading(std::move(arguments));
  }

  std::map<std::string, std::string> Files(const std::string& folder) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / folder / "out")) {
      files[entry.path().filename().string()] = ReadText(entry.path());
    }
    return files;
  }

  void PutOlder(const std::string& folder) const {
    std::filesystem::create_directories(folder_.path() / folder / "out");
    for (const std::string stem : {"a", "b", "c", "d", "e"}) {
      for (const char* extension : {".txt", ".jsonl"}) {
        folder_.Write(std::filesystem::path(folder) / "out" / (stem + extension), kOlder);
      }
    }
  }

  const TempFolder folder_;
};

TEST_F(BatchProgramTest, LeavesNamesWithLineEndsOutOfTheListOfFailures) {
  std::filesystem::path name = folder_.path() / "in" / "d.jpg";
  const std::string names = (folder_.path() / "failed").string();
  for (const auto& [other, shown] : {std::pair("d\n.jpg", "/d\\n.jpg"), std::pair("d.jpg\r", "/d.jpg\\r")}) {
    std::filesystem::rename(name, folder_.path() / "in" / other);
    name = folder_.path() / "in" / other;
    const Outcome outcome = RunProgram(Command("run of " + std::string(shown).substr(1), {"--failed", names}));
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.err, HasSubstr("percept: --failed " + names + ": leaves out a name with a line end in it: "));
    EXPECT_THAT(outcome.err, HasSubstr(shown + std::string(": truncated: ")));
    EXPECT_EQ(ReadText(names), "");
  }
}

TEST_F(BatchProgramTest, ReportsWhatIsDoneAndWhatFailed) {
  const std::string failed = (folder_.path() / "in" / "d.jpg").string();
  const std::string names = (folder_.path() / "failed").string();
  Outcome outcome = RunProgram(Command("run", {"--failed", names}));
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("percept: " + failed + ": truncated: "));
  EXPECT_THAT(outcome.err, HasSubstr("percept: 5 inputs: 4 done (0 of them before), 1 failed, 0 left\n"));
  EXPECT_EQ(ReadText(names), failed + "\n");

  EXPECT_THAT(outcome.err, testing::Not(HasSubstr("no such journal")));
  std::filesystem::remove(folder_.path() / "run" / "journal");
  outcome = RunProgram(Command("run", {"--resume"}));
  EXPECT_THAT(outcome.err, HasSubstr("percept: " + (folder_.path() / "run" / "journal").string() +
                                     ": there is no such journal yet: everything is begun anew\n"));

  outcome = RunProgram(Command("run"));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err,
              HasSubstr("/journal: holds what an earlier run did (4 done, 1 failed, 0 begun): add --resume"));

  outcome = RunProgram(Command("run", {"--resume", "--json"}));
  EXPECT_EQ(outcome.exit_code, 1);
  const auto report = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(report["done_before"], 4);
  EXPECT_EQ(report["failed"][0]["input"], failed);
  EXPECT_EQ(report["failed"][0]["errors"].size(), 2U);
  EXPECT_EQ(report["failed"][0]["errors"][0]["kind"], "bad_input");

  folder_.Write("p.yaml", std::string(kPipeline) + "# other bytes\n");
  outcome = RunProgram(Command("run", {"--resume"}));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("p.yaml with other contents; name another with --journal"));
}

TEST_F(BatchProgramTest, TellsOfOlderOutputsThatItDidNotReplace) {
  PutOlder("run");
  const std::string failed = (folder_.path() / "in" / "d.jpg").string();
  const std::string out = (folder_.path() / "run" / "out").string();
  const Outcome outcome = RunProgram(Command("run", {"--json"}));
  EXPECT_EQ(outcome.exit_code, 1);
  const std::string kept = "not replaced; what was written until then is in " + out + "/d.jsonl.partial";
  EXPECT_THAT(outcome.err, HasSubstr("percept: " + failed + ": " + out + "/d.txt: not replaced\n"));
  EXPECT_THAT(outcome.err, HasSubstr("percept: " + failed + ": " + out + "/d.jsonl: " + kept + "\n"));
  EXPECT_EQ(nlohmann::json::parse(outcome.out)["outputs"],
            nlohmann::json::parse(R"([{"input": ")" + failed + R"(", "file": ")" + out +
                                  R"(/d.txt", "what": "not replaced"}, {"input": ")" + failed + R"(", "file": ")" +
                                  out + R"(/d.jsonl", "what": ")" + kept + R"("}])"));
  EXPECT_EQ(Files("run").at("d.txt"), kOlder);
}

TEST_F(BatchProgramTest, WritesOverNothingThatItReads) {
  const std::string failed = (folder_.path() / "in" / "d.jpg").string();
  const std::string list = folder_.Write("list", failed + "\n").string();
  const std::string before = ReadText(failed);
  Outcome outcome = RunProgram(Command("run", {"--failed", failed}));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err, "percept: --failed " + failed + " is the input " + failed + "\n");
  outcome = RunProgram({"batch", (folder_.path() / "p.yaml").string(), "--list", list, "--set",
                        "folder=" + folder_.path().string(), "--merge-node", "lines", "--merge", list});
  EXPECT_EQ(outcome.err, "percept: --merge " + list + " is the list of inputs\n");
  EXPECT_EQ(ReadText(failed), before);
  EXPECT_EQ(ReadText(list), failed + "\n");
}

TEST_F(BatchProgramTest, RefusesFilesThatItCouldNotWriteAtTheEnd) {
  const std::string missing = (folder_.path() / "missing").string(), in = (folder_.path() / "in").string();
  Outcome outcome = RunProgram(Command("run", {"--failed", missing + "/failed"}));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err, "percept: --failed " + missing + "/failed: there is no folder " + missing + "\n");
  outcome = RunProgram({"batch", (folder_.path() / "p.yaml").string(), in, "--set", "folder=" + in, "--merge", in});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err, "percept: --merge " + in + ": a directory, not a file\n");
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "run" / "journal"));
}

TEST_F(BatchProgramTest, ReadsListsWithAnyLineEnds) {
  const std::string in = (folder_.path() / "in").string();
  const std::string list = folder_.Write("list", in + "/a.png\r\n\r\n" + in + "/b.png").string();
  const auto outcome_of = [&](const std::string& name, const std::vector<int>& closed = {}) {
    Program program(Reading({"batch", (folder_.path() / "p.yaml").string(), "--list", name, "--set",
                             "folder=" + folder_.path().string(), "--journal", (folder_.path() / "j").string()}),
                    {}, closed);
    program.CloseInput();
    return program.Finish();
  };
  Outcome outcome = outcome_of(in);
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err, "percept: --list " + in + ": cannot be read: Is a directory\n");
  outcome = outcome_of(in + "/nope");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err, "percept: --list " + in + "/nope: cannot be read: No such file or directory\n");
  outcome = outcome_of("-", {STDIN_FILENO});
  EXPECT_EQ(outcome.err, "percept: --list -: cannot be read: Bad file descriptor\n");
  EXPECT_EQ(outcome_of("-").err, "percept: no inputs\n");
  outcome = outcome_of(list);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("2 inputs: 2 done"));
}

TEST_F(BatchProgramTest, TellsWhyTheListOfFailuresIsNotWrittenBesideTheReport) {
  const Outcome outcome = RunProgram(Command("run", {"--failed", "/dev/full"}));
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("percept: 5 inputs: 4 done (0 of them before), 1 failed, 0 left\n"));
  EXPECT_THAT(outcome.err, HasSubstr("percept: --failed /dev/full: cannot be written: No space left on device\n"));
}

TEST_F(BatchProgramTest, CountsWhatEdgesDropOverAllInputs) {
  folder_.Write("p.yaml", R"(percept: 1
params:
  input: { type: string, required: true }
nodes:
  words: { type: source.script, count: 4, interval: 40ms }
  win: { type: flow.window, in: words.out, duration: 50ms, hop: 100ms }
  out: { type: sink.text, in: words.out, path: "${input}.txt" }
)");
  const std::string file = (folder_.path() / "p.yaml").string();
  const std::string journal = (folder_.path() / "journal").string();
  const std::string one = (folder_.path() / "one").string(), two = (folder_.path() / "two").string();
  const Outcome outcome = RunProgram({"batch", file, one, two, "--journal", journal, "--json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("percept: edge words.out -> win.in (outside): 2 packets were dropped\n"));
  EXPECT_EQ(nlohmann::json::parse(outcome.out)["dropped"]["words.out -> win.in (outside)"], 2);
  EXPECT_EQ(ReadText(one + ".txt"), "0\n1\n2\n3\n");
}

TEST_F(BatchProgramTest, TheFirstSignalLetsWhatIsUnderWayFinish) {
  constexpr int kNumInputs = 500;
  std::string names;
  for (int i = 0; i < kNumInputs; ++i) {
    const std::filesystem::path link = folder_.path() / ("link" + std::to_string(i));
    std::filesystem::create_symlink(folder_.path() / "in" / "a.png", link);
    names += link.string() + "\n";
  }
  Program program(Reading({"batch", (SourceDir() / "pipelines" / "ocr.yaml").string(), "--list", "-", "--jobs", "1",
                           "--set", "output=/dev/stdout", "--journal", (folder_.path() / "journal").string()}));
  program.Write(names);
  program.CloseInput();
  program.WaitForOutput();
  program.Signal(SIGINT);
  const Outcome outcome = program.Finish();
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("percept: finishing what is under way; once more to stop at once\n"));
  EXPECT_THAT(outcome.err, HasSubstr("percept: the same command with --resume goes on from here\n"));
  // Nothing is half done.
  const auto num_answers = std::count(outcome.out.begin(), outcome.out.end(), '\n');
  EXPECT_THAT(outcome.err,
              HasSubstr("500 inputs: " + std::to_string(num_answers) + " done (0 of them before), 0 failed"));
}

// Where the program is killed depends on the seeds and on the machine; what comes of it must not. In every other round
// there are older outputs.
TEST_F(BatchProgramTest, KilledAnywhereItEndsWithTheSameFiles) {
  constexpr int kNumKills = 20;
  const auto start = Clock::now();
  ASSERT_EQ(RunProgram(Command("whole")).exit_code, 1);
  const auto whole_time = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
  const std::map<std::string, std::string> whole = Files("whole");
  ASSERT_EQ(whole.size(), 11U);
  EXPECT_EQ(std::count(whole.at("all.jsonl").begin(), whole.at("all.jsonl").end(), '\n'), 10);
  std::map<std::string, std::string> whole_of_older = whole;
  whole_of_older["d.jsonl.partial"] = whole.at("d.jsonl");
  whole_of_older["d.jsonl"] = whole_of_older["d.txt"] = kOlder;

  std::mt19937 random(20261125);
  int num_kills = 0, num_resumed = 0;
  for (int round = 0; num_kills < kNumKills; ++round) {
    const std::string folder = "round" + std::to_string(round);
    const bool has_older = round % 2 == 1;
    if (has_older) {
      PutOlder(folder);
    }
    Outcome outcome;
    do {
      const bool has_journal = std::filesystem::exists(folder_.path() / folder / "journal");
      Program program(Command(folder, {"--resume"}));
      program.CloseInput();
      std::this_thread::sleep_for(std::chrono::microseconds(random() % whole_time.count()));
      program.Signal(SIGKILL);
      outcome = program.Finish();
      num_kills += outcome.exit_code == -SIGKILL ? 1 : 0;
      num_resumed += has_journal ? 1 : 0;
    } while (outcome.exit_code == -SIGKILL && num_kills < kNumKills);
    if (outcome.exit_code == -SIGKILL) {
      outcome = RunProgram(Command(folder, {"--resume"}));
    }
    EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
    EXPECT_EQ(Files(folder), has_older ? whole_of_older : whole) << folder;
  }
  EXPECT_GE(num_resumed, kNumKills / 4);
}

}  // namespace
}  // namespace percept::cli
