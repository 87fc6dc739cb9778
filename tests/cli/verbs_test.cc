// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/cli/program.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"

namespace percept::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::string Shipped(const std::string& pipeline) { return (SourceDir() / "pipelines" / pipeline).string(); }

std::string Media(const std::string& name) { return (TestDataDir() / "bad_media" / name).string(); }

TEST(Help, OfEveryVerbHasAnExample) {
  const std::vector<std::vector<std::string>> verbs = {{"ocr"},    {"chart"},           {"run"},   {"check"},
                                                       {"graph"},  {"nodes"},           {"model"}, {"bench"},
                                                       {"doctor"}, {"model", "inspect"}};
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
  const std::string file = (folder.path() / "slow.yaml").string();
  ASSERT_EQ(mkfifo(file.c_str(), 0600), 0);
  Program program({"run", file});
  std::ofstream pipe(file);  // waits until the program reads it
  program.Signal(SIGTERM);
  const Outcome outcome = program.Finish();
  EXPECT_EQ(outcome.err, "percept: cancelled\n");
  EXPECT_EQ(outcome.exit_code, 3);
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
                "4:31: input 'record' of node 'out' (sink.text) takes Record, but output 'image' of node 'read' "
                "(image.file) at"},
        // No two of the shipped nodes could form a cycle of one type.
        BadFile{"Cycle",
                "percept: 1\nnodes:\n  a: { type: encode.vision, in: b.tokens }\n"
                "  b: { type: encode.vision, in: a.tokens }\n",
                "3:33: input 'image' of node 'a' (encode.vision) takes Image, but output 'tokens' of node 'b'"},
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

TEST(Check, TellsMemoryAndPortsNobodyReads) {
  const Outcome outcome = RunProgram({"check", Shipped("ocr.yaml")});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("4 nodes, 3 edges"), HasSubstr("no node reads output 'delta' of node 'say'"),
                                 HasSubstr("model of see, say: 20.6 MB of weights"),
                                 HasSubstr("node read (image.file): 4 items at work at once"),
                                 HasSubstr("edge see.tokens -> say.media (SoftTokens): 8 packets")));
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
  for (const char* stage : {"read", "preprocess", "tower", "prefill", "decode"}) {
    EXPECT_THAT(outcome.out, HasSubstr(std::string("\n") + stage));
  }
  EXPECT_THAT(RunProgram({"bench", "--shape", "e9b"}).err, HasSubstr("e2b"));
}

}  // namespace
}  // namespace percept::cli
