// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/cli/program.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"

namespace percept::cli {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

std::string Shipped(const std::string& pipeline) { return (SourceDir() / "pipelines" / pipeline).string(); }

std::string Media(const std::string& name) { return (TestDataDir() / "bad_media" / name).string(); }

TEST(Help, OfEveryVerbHasAnExample) {
  const std::vector<std::vector<std::string>> verbs = {
      {"ocr"},   {"chart"}, {"ask"},   {"run"},    {"check"},           {"graph"},
      {"nodes"}, {"model"}, {"bench"}, {"doctor"}, {"model", "inspect"}};
  for (std::vector<std::string> verb : verbs) {
    std::string words = "percept";
    for (const std::string& word : verb) {
      words += " " + word;
    }
    verb.emplace_back("--help");
    const Outcome outcome = RunProgram(verb);
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_THAT(outcome.out, AllOf(HasSubstr("Example"), HasSubstr("\n  " + words)));
  }
  EXPECT_THAT(RunProgram({"--help"}).out, HasSubstr("doctor"));
}

TEST(Help, AnUnknownVerbIsRefused) {
  const Outcome outcome = RunProgram({"orc", "x"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err, "percept: no verb 'orc'; nearest: ocr\n");
  EXPECT_THAT(RunProgram({"read"}).err, StartsWith("percept: no verb 'read'; valid: "));
  EXPECT_EQ(RunProgram({}).exit_code, 2);
  EXPECT_EQ(RunProgram({}).err, "percept: a verb is required; percept --help lists what there is\n");
}

TEST(Output, ThatCannotBeWrittenIsAnErrorOfEveryVerb) {
  const std::string ocr = Shipped("ocr.yaml");
  for (const std::vector<std::string>& verb : {std::vector<std::string>{"--help"},
                                               {"--version"},
                                               {"nodes"},
                                               {"check", ocr},
                                               {"graph", ocr},
                                               {"model", "inspect"},
                                               {"doctor"},
                                               {"bench", "--repetitions", "1", "--tokens", "2"}}) {
    const Outcome closed = Program(verb, {}, {STDOUT_FILENO}).Finish();
    EXPECT_EQ(closed.err, "percept: standard output is closed\n") << verb.front();
    EXPECT_EQ(closed.exit_code, 3) << verb.front();
  }
  Program gone({"nodes"});
  gone.CloseOutput();
  const Outcome outcome = gone.Finish();
  EXPECT_EQ(outcome.err, "percept: standard output was closed before all was written\n");
  EXPECT_EQ(outcome.exit_code, 3);
}

TEST(Bench, UsesNoMoreThreadsThanThereAreProcessors) {
  const auto first_line = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"bench", "--repetitions", "1", "--tokens", "2"});
    const std::string out = RunProgram(Reading(std::move(more))).out;
    return out.substr(0, out.find('\n'));
  };
  EXPECT_THAT(first_line({}), HasSubstr(" threads, "));
  EXPECT_EQ(first_line({"--threads", "4096"}), first_line({}));
}

TEST(Run, ASignalBeforeTheRunEndsTheProgram) {
  const TempFolder folder;
  const std::string schema = (folder.path() / "slow.json").string();
  ASSERT_EQ(mkfifo(schema.c_str(), 0600), 0);
  const std::string file = folder
                               .Write("slow.yaml",
                                      "percept: 1\nnodes:\n  read: { type: image.file, path: a.png }\n"
                                      "  see: { type: encode.vision, in: read }\n"
                                      "  say: { type: decode.gemma4, in: see, prompt: Who, schema: " +
                                          schema +
                                          " }\n"
                                          "  out: { type: sink.text, in: say.record }\n")
                               .string();
  Program program({"run", file});
  std::ofstream pipe(schema);  // waits until the program reads it
  program.Signal(SIGTERM);
  const Outcome outcome = program.Finish();
  EXPECT_EQ(outcome.err, "percept: cancelled\n");
  EXPECT_EQ(outcome.exit_code, 3);
}

TEST(Run, ASecondSignalEndsTheWaitForWhoReadsAPipe) {
  const TempFolder folder;
  const std::string pipe = (folder.path() / "pipe").string();
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const std::string file =
      folder
          .Write("flood.yaml",
                 "percept: 1\nnodes:\n  words: { type: source.script, count: 1000000, interval: 40ms }\n"
                 "  out: { type: sink.text, in: words.out, path: " +
                     pipe + " }\n")
          .string();
  // Two signals: a third would end the program whatever it does. One that comes before the program listens ends it too.
  const auto stopped = [&] {
    Outcome outcome;
    for (const int wait_ms : {300, 3000, 30000}) {
      Program program({"run", file});
      for (int i = 0; i < 2; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
        program.Signal(SIGTERM);
      }
      outcome = program.Finish();
      if (outcome.exit_code != -SIGTERM) {
        break;
      }
    }
    return outcome;
  };
  const Outcome unopened = stopped();
  EXPECT_THAT(unopened.err, EndsWith("percept: cancelled\n"));
  EXPECT_EQ(unopened.exit_code, 3);

  const int reader = open(pipe.c_str(), O_RDWR | O_CLOEXEC);  // and reads nothing
  EXPECT_THAT(stopped().err, EndsWith("percept: cancelled\n"));
  close(reader);
}

TEST(Run, TellsOfSetsThatLackedAnInput) {
  const TempFolder folder;
  const std::string picture = Media("plain.png");
  const std::string file =
      folder
          .Write("two.yaml", "percept: 1\nnodes:\n  a: { type: image.file, path: [" + picture + ", " + picture + ", " +
                                 picture + "] }\n  b: { type: image.file, path: " + picture +
                                 " }\n  see: { type: encode.vision, in: a.image, budget: 70 }\n"
                                 "  too: { type: encode.vision, in: b.image, budget: 70 }\n"
                                 "  say: { type: decode.gemma4, in: { left: see.tokens, right: too.tokens }, "
                                 "max_tokens: 2, prompt: [ { image: left }, { image: right } ] }\n"
                                 "  out: { type: sink.text, in: say.record }\n")
          .string();
  const Outcome outcome = RunProgram(Reading({"run", file}));
  EXPECT_EQ(outcome.err, "percept: node 'say': 2 sets were not run because an input was missing\n");
  EXPECT_EQ(outcome.exit_code, 1);
}

TEST(Run, RefusesStandardOutputThatIsTheFileOfAnotherSink) {
  const TempFolder folder;
  const std::string file = folder
                               .Write("two.yaml",
                                      "percept: 1\nparams:\n  output: { type: path, required: true }\nnodes:\n"
                                      "  words: { type: source.script, count: 1, interval: 40ms }\n"
                                      "  out: { type: sink.text, in: words.out }\n"
                                      "  also: { type: sink.text, in: words.out, path: \"${output}\" }\n")
                               .string();
  const std::string rows = (folder.path() / "rows.txt").string(), told = (folder.path() / "told.txt").string();
  for (const std::string& output : {rows, std::string("/dev/stdout")}) {
    std::string command = ProgramPath().string();
    command.append(" run ").append(file).append(" --set output=").append(output);
    command.append(" >").append(rows).append(" 2>").append(told);
    // NOLINTNEXTLINE(bugprone-command-processor): a shell's redirection is what is tested
    EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 2);
    EXPECT_EQ(ReadText(told), "percept: " + file +
                                  ":6:3: 'out' would write standard output, which is the file that is what 'also' "
                                  "writes\n");
  }
}

TEST(Run, TellsHowFarItIsWhereItTakesLong) {
  const TempFolder folder;
  const std::string file = folder
                               .Write("slow.yaml",
                                      "percept: 1\nnodes:\n"
                                      "  words: { type: source.script, count: 5, wait: 1300ms }\n"
                                      "  out: { type: sink.text, in: words.out }\n")
                               .string();
  const Outcome outcome = RunProgram({"run", file});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.progress, ContainsRegex("^percept: [0-9] done, [1-9][0-9]* s\n"));
  EXPECT_EQ(outcome.err, "");
}

TEST(Run, TellsWhatWasMendedAndDropped) {
  const TempFolder folder;
  const std::string file = folder.Write("script.yaml", R"(percept: 1
nodes:
  words:
    type: source.script
    disorder: 40ms
    items:
      - { t: 0ms, text: a }
      - { t: 80ms, text: c }
      - { t: 60ms, text: b }
      - { transient: no answer, t: 200ms, text: d }
  win: { type: flow.window, in: words.out, duration: 50ms, hop: 100ms }
  out: { type: sink.text, in: words.out }
)");
  const Outcome outcome = RunProgram({"run", file});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "a\nb\nc\nd\n");
  EXPECT_THAT(outcome.err, HasSubstr("percept: node 'words': 1 packet came reordered\n"));
  EXPECT_THAT(outcome.err, HasSubstr("percept: node 'words': tried again 1 time\n"));
  EXPECT_THAT(outcome.err, HasSubstr("percept: edge words.out -> win.in: 2 packets were dropped (outside)\n"));
}

TEST(Run, TellsWhatHappensAsItHappens) {
  const TempFolder folder;
  const std::string file = folder.Write("script.yaml", R"(percept: 1
nodes:
  words:
    type: source.script
    items:
      - { t: 0ms, error: torn picture }
      - { transient: no answer, t: 200ms, text: d }
  out: { type: sink.text, in: words.out }
)");
  const std::string err = RunProgram({"run", file, "--verbose"}).err;
  EXPECT_THAT(err, HasSubstr("failed in node 'words': torn picture\npercept: node 'words' (source.script) waits "));
  EXPECT_THAT(err, HasSubstr("percept: node 'words' (source.script) works again\n"));
  EXPECT_THAT(RunProgram({"run", file}).err, Not(HasSubstr("works again")));
}

TEST(Run, RefusesToWriteOverWhatItReads) {
  const TempFolder folder;
  const std::string pipeline = (folder.path() / "p.yaml").string(), picture = (folder.path() / "a.png").string();
  folder.Write("p.yaml", R"(percept: 1
params:
  input: { type: path, required: true }
  output: { type: path, required: true }
nodes:
  read: { type: image.file, path: "${input}" }
  see: { type: encode.vision, in: read.image }
  say: { type: decode.gemma4, in: see.tokens, prompt: Read. }
  out: { type: sink.text, in: say.record, path: "${output}" }
)");
  folder.Write("a.png", "a picture");
  const auto refusal = [&](const std::string& output) {
    const Outcome outcome = RunProgram({"run", pipeline, "--set", "input=" + picture, "--set", "output=" + output});
    EXPECT_EQ(outcome.exit_code, 2);
    return outcome.err;
  };
  const std::string hard = (folder.path() / "hard").string();
  std::filesystem::create_hard_link(picture, hard);
  EXPECT_THAT(refusal(picture), HasSubstr("'out' would write " + picture + ", which is what 'read' reads\n"));
  EXPECT_THAT(refusal(hard), HasSubstr("'out' would write " + hard + ", which is what 'read' reads\n"));
  EXPECT_THAT(refusal(pipeline), HasSubstr("'out' would write " + pipeline + ", which is the pipeline\n"));
  const std::string weights = (SourceDir() / "models" / "percept-tiny" / "config.json").string();
  EXPECT_THAT(refusal(weights), HasSubstr("'out' would write " + weights + ", which is the model\n"));
  EXPECT_EQ(std::filesystem::file_size(picture), 9U);
}

TEST(Check, RefusesTheOutputsThatRunRefuses) {
  const TempFolder folder;
  const auto refusal = [&](const std::string& verb, const std::string& first, const std::string& second) {
    const std::string file = folder
                                 .Write("two.yaml",
                                        "percept: 1\nparams:\n  input: { type: path, required: true }\n"
                                        "  output: { type: path, required: true }\nnodes:\n"
                                        "  say: { type: source.script, text: hello, count: 1, interval: 1s }\n"
                                        "  out: { type: sink.text, in: say, path: \"" +
                                            first +
                                            "\" }\n"
                                            "  lines: { type: sink.jsonl, in: say, path: \"" +
                                            second + "\" }\n")
                                 .string();
    std::vector<std::string> words = {verb, file};
    if (verb == "run") {
      words.insert(words.end(), {"--set", "input=in/x", "--set", "output=out/x"});
    }
    const Outcome outcome = RunProgram(words);
    EXPECT_EQ(outcome.exit_code, outcome.err.empty() ? 0 : 2);
    return outcome.err;
  };
  const std::string path = (folder.path() / "a.txt").string();
  std::filesystem::create_symlink("a.txt", folder.path() / "link");
  const std::string link = (folder.path() / "link").string(), pipeline = (folder.path() / "two.yaml").string();
  const std::string start = "percept: " + pipeline + ":8:45: 'lines' would write ";
  const std::string twice = start + link + ", which is what 'out' writes\n";
  const std::string itself = start + pipeline + ", which is the pipeline\n";
  const std::string partial = path + ".partial";
  const std::string kept = "percept: " + pipeline + ":7:42: 'out' would keep what it has written in " + partial +
                           " if the run fails, which is what 'lines' writes\n";
  for (const char* verb : {"check", "run"}) {
    EXPECT_EQ(refusal(verb, path, link), twice);
    EXPECT_EQ(refusal(verb, path, pipeline), itself);
    EXPECT_EQ(refusal(verb, path, partial), kept);
  }
  EXPECT_EQ(refusal("check", "${output}", "${output}"), start + "<output>, which is what 'out' writes\n");
  // What is not given yet is taken to be of no known place.
  EXPECT_EQ(refusal("check", "${input.dir}/a.txt", "${output.dir}/a.txt"), "");
  EXPECT_EQ(refusal("check", "-", "-"), "");
}

TEST(Run, ARunThatFailsSaysWhatBecameOfItsRows) {
  const TempFolder folder;
  const std::string output = folder.Write("out.txt", "old").string(), pipeline = (folder.path() / "p.yaml").string();
  // Of what the node that fails has sent before, all is written: the run drains.
  folder.Write("p.yaml", R"(percept: 1
nodes:
  say: { type: source.script, items: [ { t: 0ms, text: hello }, { t: 1ms, text: to }, { t: 2ms, text: all }, { throw: broken } ] }
  out: { type: sink.text, in: say.out, path: ")" +
                             output + "\" }\n");
  const Outcome outcome = RunProgram({"run", pipeline});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("percept: " + output + ": not replaced; what was written until then is in " +
                                     std::filesystem::canonical(folder.path()).string() + "/out.txt.partial\n"));
  EXPECT_EQ(ReadText(output), "old");
  EXPECT_EQ(ReadText(output + ".partial"), "hello\nto\nall\n");
}

// The old rows are no answer of a run that is all done and has none; where something failed, they are all there is.
TEST(Run, ARunWithoutRowsLeavesAnEmptyFileUnlessItFailed) {
  const TempFolder folder;
  const std::string output = folder.Write("out.txt", "old").string(), fresh = (folder.path() / "fresh.jsonl").string();
  const auto run = [&](const std::string& items) {
    folder.Write("p.yaml", R"(percept: 1
nodes:
  say: { type: source.script, items: [ )" +
                               items + R"( ] }
  out: { type: sink.text, in: say.out, path: ")" +
                               output + R"(" }
  lines: { type: sink.jsonl, in: few.out, path: ")" +
                               fresh + R"(" }
  few: { type: flow.sample, in: say.out, every: 2s }
)");
    return RunProgram({"run", (folder.path() / "p.yaml").string()}).exit_code;
  };
  EXPECT_EQ(run("{ t: 0ms, error: cut }"), 1);
  EXPECT_EQ(ReadText(output), "old");
  std::filesystem::remove(fresh);
  EXPECT_EQ(run("{ throw: broken }"), 3);
  EXPECT_EQ(ReadText(output), "old");
  EXPECT_FALSE(std::filesystem::exists(fresh));
  EXPECT_EQ(run(""), 0);
  EXPECT_EQ(ReadText(output), "");
  EXPECT_EQ(std::filesystem::file_size(fresh), 0U);
}

TEST(Run, WritesListsToBothKindsOfSink) {
  const TempFolder folder;
  const std::string output = (folder.path() / "out.txt").string();
  const std::string pipeline = folder
                                   .Write("lists.yaml", R"(percept: 1
nodes:
  say: { type: source.script, count: 5, interval: 1s, text: "word " }
  some: { type: flow.batch, in: say, size: 3 }
  out: { type: sink.text, in: some, path: ")" + output + R"(" }
  lines: { type: sink.jsonl, in: some, timing: false }
)")
                                   .string();
  const Outcome outcome = RunProgram({"run", pipeline});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(ReadText(output), "word 0\nword 1\nword 2\n\nword 3\nword 4\n\n");
  std::istringstream lines(outcome.out);
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  const auto first = nlohmann::json::parse(line);
  EXPECT_EQ(first["timestamp_s"], 2);
  EXPECT_EQ(first["partial"], false);
  ASSERT_EQ(first["items"].size(), 3U);
  EXPECT_EQ(first["items"][1]["text"], "word 1");
  EXPECT_EQ(first["items"][1]["timestamp_s"], 1);
  ASSERT_TRUE(std::getline(lines, line));
  const auto second = nlohmann::json::parse(line);
  EXPECT_EQ(second["partial"], true);
  EXPECT_EQ(second["items"].size(), 2U);
  EXPECT_FALSE(std::getline(lines, line));
}

TEST(Run, NotesThatNothingIsWritten) {
  const TempFolder folder;
  const std::string file =
      folder.Write("mute.yaml", "percept: 1\nnodes:\n  read: { type: image.file, path: " + Media("plain.png") + " }\n")
          .string();
  const Outcome outcome = RunProgram(Reading({"run", file}));
  EXPECT_EQ(outcome.err, "percept: nothing is written: " + file +
                             ":3:3: no node reads output 'image' of node 'read' (image.file)\n");
  EXPECT_EQ(outcome.exit_code, 0);
}

TEST(Run, FillsInTheParametersOfAFile) {
  const Outcome outcome = RunProgram(Reading({"run", Shipped("ocr.yaml"), "--set", "input=" + Media("plain.png"),
                                              "--set", "input=" + Media("grey.png"), "--set", "format=jsonl"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 2);
  EXPECT_THAT(outcome.out, HasSubstr(R"("text":"Invoice 204")"));
}

TEST(Run, DoesWhatOcrDoes) {
  EXPECT_EQ(RunProgram(Reading({"run", Shipped("ocr.yaml"), "--set", "input=" + Media("plain.png")})).out,
            RunProgram(Reading({"ocr", Media("plain.png")})).out);
}

struct BadFile {
  std::string name, nodes, message;
};

void PrintTo(const BadFile& file, std::ostream* out) { *out << file.name; }

class BadFileTest : public testing::TestWithParam<BadFile> {};

TEST_P(BadFileTest, IsRefusedWithItsPlace) {
  const TempFolder folder;
  const std::string file = folder.Write("bad.yaml", GetParam().nodes).string();
  for (const char* verb : {"check", "run", "graph"}) {
    const Outcome outcome = RunProgram({verb, file});
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_THAT(outcome.err, HasSubstr("percept: " + file + ":" + GetParam().message)) << verb;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, BadFileTest,
    testing::Values(
        BadFile{"UnknownKey",
                "percept: 1\nnodes:\n  read: { type: image.file, path: a.png }\n"
                "  see: { type: encode.vision, in: read.image, bugdet: 70 }\n",
                "4:47: unknown key 'bugdet' in node 'see' (encode.vision); nearest: budget"},
        BadFile{"DuplicateKey", "percept: 1\nnodes:\n  read: { type: image.file, path: a.png, path: b.png }\n",
                "3:42: duplicate key 'path'; the first is at "},
        BadFile{"UnknownNode", "percept: 1\nnodes:\n  read: { type: image.fil, path: a.png }\n",
                "3:17: unknown node type 'image.fil'; nearest: image.file"},
        BadFile{"TypeMismatch",
                "percept: 1\nnodes:\n  read: { type: image.file, path: a.png }\n"
                "  out: { type: sink.text, in: read.image }\n",
                "4:31: input 'record' of node 'out' (sink.text) takes Record or Text or Record[] or Text[], but output "
                "'image' of node 'read' "
                "(image.file) at"},
        BadFile{"Cycle",
                "percept: 1\nnodes:\n  a: { type: encode.vision, in: b.tokens }\n"
                "  b: { type: encode.vision, in: a.tokens }\n",
                "3:33: the graph has a cycle: b.tokens -> a.image, a.tokens -> b.image"},
        BadFile{"MissingParameter",
                "percept: 1\nnodes:\n  read: { type: image.file }\n  see: { type: encode.vision, in: read.image }\n",
                "3:3: node 'read' (image.file) lacks its parameter 'path'"},
        BadFile{"UnknownBudget",
                "percept: 1\nnodes:\n  read: { type: image.file, path: a.png }\n"
                "  see: { type: encode.vision, in: read.image, budget: 71 }\n",
                "4:55: unknown image budget 71: expected 70, 140, 280, 560 or 1120 soft tokens"}),
    [](const auto& param_info) { return param_info.param.name; });

TEST(Run, NamesTheParameterThatIsMissing) {
  const Outcome outcome = RunProgram({"run", Shipped("ocr.yaml")});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("parameter 'input' (path[]) is required and was not given"));
}

TEST(Run, RefusesAParameterThatTheFileDoesNotHave) {
  const Outcome outcome = RunProgram({"run", Shipped("ocr.yaml"), "--set", "inputs=a.png"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("has no parameter 'inputs'"), HasSubstr("input")));
  EXPECT_THAT(RunProgram({"run", Shipped("ocr.yaml"), "--set", "input"}).err,
              HasSubstr("--set input: expected NAME=VALUE"));
  EXPECT_THAT(RunProgram({"run", "/no/such.yaml"}).err, HasSubstr("percept: /no/such.yaml: cannot be opened"));
}

TEST(Check, TellsOfNoDelaysWhereNothingIsWritten) {
  const TempFolder folder;
  const std::string read = "percept: 1\nnodes:\n  say: { type: source.script, count: 1 }\n";
  const auto report = [&](const std::string& sink) {
    return RunProgram({"check", folder.Write("p.yaml", read + sink).string()}).out;
  };
  EXPECT_THAT(report(""), Not(HasSubstr("delay")));
  EXPECT_THAT(report("  out: { type: sink.text, in: say }\n"), HasSubstr("\ndelay, at most"));
}

TEST(Check, TellsMemoryAndPortsNobodyReads) {
  const Outcome outcome = RunProgram({"check", Shipped("ocr.yaml")});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("4 nodes, 3 edges"), HasSubstr("no node reads output 'delta' of node 'say'"),
                                 HasSubstr("model of see, say: 20.6 MB of weights"),
                                 HasSubstr("node read (image.file): 4 items at work at once"),
                                 HasSubstr("edge see.tokens -> say.media (SoftTokens): 8 packets")));
}

// A stream of words in windows and batches, joined with the stream itself.
std::string WriteJoined(const TempFolder& folder) {
  const std::string nodes =
      "  read: { type: source.script, count: 20, interval: 1s }\n"
      "  list: { type: flow.batch, in: read, size: 5 }\n"
      "  win: { type: flow.window, in: { list: list, word: { from: read, packets: 100, time: 8s } }, duration: 4s }\n";
  return folder.Write("joined.yaml", "percept: 1\nnodes:\n" + nodes).string();
}

TEST(Check, TellsJoinsAndDelaysAtEightyColumns) {
  const TempFolder folder;
  const Outcome outcome = RunProgram({"check", WriteJoined(folder)});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("\njoins\n  win: window of list and word, 4s every 4s, needs "),
                                 HasSubstr("\ndelay, at most, beside the time to compute\n  read to win: 12s")));
  std::istringstream lines(outcome.out.substr(outcome.out.find("memory")));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
}

TEST(Check, TellsTheSameAsJson) {
  const TempFolder folder;
  const Outcome outcome = RunProgram({"check", WriteJoined(folder), "--json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const nlohmann::json json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json["edges"][2]["name"], "read.out -> win.word");
  EXPECT_EQ(json["edges"][2]["packets"], 100);
  EXPECT_EQ(json["edges"][2]["seconds"], 8);
  EXPECT_EQ(json["nodes"][1]["state"]["items"], 5);
  EXPECT_EQ(json["delays"][0]["seconds"], 12);
  EXPECT_EQ(json["joins"][0]["kind"], "window");
  EXPECT_EQ(json["unread"][0]["port"], "list");
}

TEST(Check, RefusesLimitsThatAreTooSmall) {
  const TempFolder folder;
  const std::string nodes =
      "  read: { type: source.script, count: 20, interval: 1s }\n"
      "  list: { type: flow.batch, in: read, size: 5 }\n"
      "  both: { type: flow.merge, in: { list: list, more: list } }\n";
  const std::string file = folder.Write("bad.yaml", "percept: 1\nlimits: { host_bytes: 2 }\nnodes:\n" + nodes).string();
  const Outcome outcome = RunProgram({"check", file, "--json"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("bad.yaml:2:23: host_bytes is 2 bytes, but "));
}

TEST(CheckMeasure, TellsWhereTheTimeGoesAndWritesNothing) {
  const TempFolder folder;
  const std::string output = folder.Write("texts.txt", "mine").string();
  const Outcome outcome = RunProgram(Reading({"check", Shipped("ocr.yaml"), "--set", "output=" + output, "--measure",
                                              Media("plain.png"), Media("plain.png"), Media("cut_at_half.jpg")}));
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("cut_at_half.jpg: "));
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("\nmeasured: 3 items (1 failed) in "), HasSubstr(" limits the run: it was "),
                                 HasSubstr("\n  see.tokens -> say.media        "), HasSubstr("  8, 268.4 MB\n"),
                                 HasSubstr("\ndelay, measured\n  read to out: median ")));
  std::istringstream lines(outcome.out.substr(outcome.out.find("measured:")));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
  std::ifstream file(output);
  std::string text;
  std::getline(file, text);
  EXPECT_EQ(text, "mine");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(CheckMeasure, TellsTheSameAsJson) {
  const TempFolder folder;
  const std::string file = folder
                               .Write("script.yaml", R"(percept: 1
params:
  input: { type: string, required: true }
nodes:
  read: { type: source.script, count: 12, interval: 1s, text: "${input}" }
  five: { type: flow.batch, in: read, size: 5 }
  two:  { type: flow.limit, in: read, count: 2 }
  all:  { type: sink.text, in: two, path: /nowhere/out.txt }
)")
                               .string();
  const Outcome outcome = RunProgram({"check", file, "--json", "--measure", "word"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const nlohmann::json measured = nlohmann::json::parse(outcome.out)["measured"];
  EXPECT_EQ(measured["items"], 12);
  EXPECT_EQ(measured["failed_items"], 0);
  EXPECT_EQ(measured["nodes"][1]["name"], "five");
  EXPECT_EQ(measured["nodes"][1]["process"]["num"], 12);
  EXPECT_EQ(measured["nodes"][1]["peak_state_items"], 5);
  EXPECT_EQ(measured["edges"][2]["name"], "two.out -> all.record");
  EXPECT_EQ(measured["edges"][2]["packets"], 2);
  EXPECT_EQ(measured["delays"][1]["sink"], "all");
  EXPECT_EQ(measured["delays"][1]["latency"]["num"], 2);
  EXPECT_GE(measured["delays"][1]["shares"]["two"], 0);
  EXPECT_TRUE(measured.contains("limiting_node"));
  EXPECT_GT(measured["peak_resident_bytes"], 0);
}

TEST(CheckMeasure, SaysWhyItCannotMeasure) {
  const TempFolder folder;
  const std::string file =
      folder.Write("fixed.yaml", "percept: 1\nnodes:\n  read: { type: source.script, count: 2 }\n").string();
  const Outcome fixed = RunProgram({"check", file, "--measure", "a.png"});
  EXPECT_EQ(fixed.exit_code, 2);
  EXPECT_EQ(fixed.err, "percept: --measure a.png: " + file + " has no parameter 'input' to fill in\n");
  const Outcome missing = RunProgram({"check", Shipped("ocr.yaml"), "--measure", "/no/such.png"});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_EQ(missing.err, "percept: --measure /no/such.png: there is no such file\n");
  const Outcome twice = RunProgram({"check", Shipped("ocr.yaml"), "--set", "input=a", "--measure", file});
  EXPECT_EQ(twice.exit_code, 2);
  EXPECT_EQ(twice.err, "percept: --measure and --set input both say what is read: give one of them\n");
  const Outcome failed = RunProgram(Reading({"check", Shipped("ocr.yaml"), "--measure", file}));
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_EQ(failed.out, "");
  EXPECT_EQ(failed.err,
            "percept: " + file + ": not a JPEG, PNG, WebP, TIFF or GIF picture\n" + "percept: nothing was measured\n");
}

TEST(Run, KeepsToThePixelsOfThePipeline) {
  const TempFolder folder;
  const std::string file = folder
                               .Write("small.yaml",
                                      "percept: 1\nlimits: { pixels: 100 }\nnodes:\n"
                                      "  a: { type: image.file, path: " +
                                          Media("plain.png") +
                                          " }\n"
                                          "  see: { type: encode.vision, in: a.image, budget: 70 }\n")
                               .string();
  const Outcome outcome = RunProgram(Reading({"run", file}));
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr(" pixels, more than the limit of 100\n"));
}

TEST(Graph, DrawsEveryNodeAndEdge) {
  const Outcome outcome = RunProgram({"graph", Shipped("chart.yaml")});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, AllOf(StartsWith("flowchart"), HasSubstr("decode.gemma4"), HasSubstr("SoftTokens")));
}

TEST(Nodes, ListsTheTypesAndTellsOfOne) {
  EXPECT_THAT(RunProgram({"nodes"}).out, AllOf(HasSubstr("image.file"), HasSubstr("sink.jsonl")));
  EXPECT_THAT(RunProgram({"nodes", "encode.vision"}).out,
              AllOf(HasSubstr("budget (int, default 0)"), HasSubstr("tokens (SoftTokens)"), HasSubstr("example\n")));
  const Outcome outcome = RunProgram({"nodes", "encode.visio"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("there is no node type 'encode.visio'; nearest: encode.vision"));
}

TEST(ModelInspect, TellsWhatTheEmbeddedModelIs) {
  const Outcome outcome = RunProgram({"model", "inspect"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("percept-tiny"), HasSubstr("603 tensors"), HasSubstr("70 soft tokens")));
}

TEST(ModelInspect, NamesWhatIsNoModel) {
  const Outcome outcome = RunProgram({"model", "inspect", "/no/such/model"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("/no/such/model"));
}

TEST(Doctor, TellsOfMachineAndModel) {
  const Outcome outcome = RunProgram({"doctor"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("processor"), HasSubstr("products"), HasSubstr("a second (measured)"),
                                 HasSubstr("percept-tiny"), HasSubstr("tokens a second")));
}

TEST(Bench, PrintsEveryStage) {
  const Outcome outcome = RunProgram(Reading({"bench", "--repetitions", "1", "--tokens", "2"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* stage : {"memory is read at", "read", "preprocess", "tower", "prefill", "decode", "sound", "prompt",
                            "decode x4", "decode x8"}) {
    EXPECT_THAT(outcome.out, HasSubstr(std::string("\n") + stage));
  }
  EXPECT_THAT(outcome.out, HasSubstr("% of memory"));
  EXPECT_THAT(RunProgram({"bench", "--shape", "e9b"}).err, HasSubstr("e2b"));
  EXPECT_THAT(RunProgram({"bench", "--dtype", "q4_0"}).err, HasSubstr("--dtype requires --shape"));
  EXPECT_THAT(RunProgram({"bench", "--shape", "e2b", "--dtype", "q3_k"}).err, HasSubstr("q3_k not in {bf16,f16,q4_0"));
}

}  // namespace
}  // namespace percept::cli
