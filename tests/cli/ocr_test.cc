// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <ostream>
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

std::string Media(const std::string& name) { return (TestDataDir() / "bad_media" / name).string(); }

std::string ReadBytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Outcome Ocr(std::vector<std::string> arguments, const std::string& input = "") {
  arguments.insert(arguments.begin(), "ocr");
  return RunProgram(Reading(std::move(arguments)), input);
}

TEST(Ocr, PrintsTheTextAndNothingElse) {
  const Outcome outcome = Ocr({Media("plain.png")});
  EXPECT_EQ(outcome.out, "Invoice 204\n");
  EXPECT_THAT(outcome.err, Not(HasSubstr("rror")));
  EXPECT_EQ(outcome.exit_code, 0);
}

TEST(Ocr, ReadsWhatTheExamplesSayItReads) {
  const std::filesystem::path folder = SourceDir() / "examples" / "media";
  for (const auto& example : nlohmann::json::parse(ReadBytes(folder / "readings.json"))) {
    const Outcome outcome =
        Ocr({(folder / example["file"].get<std::string>()).string(), "--prompt", example["prompt"], "--mode", "exact"});
    EXPECT_EQ(outcome.out, example["read"].get<std::string>() + "\n") << example["file"];
    EXPECT_EQ(outcome.exit_code, 0);
  }
}

TEST(Ocr, ReadsEveryKindOfPicture) {
  for (const char* name :
       {"plain.jpg", "grey.png", "grey16.png", "palette.png", "rgba.png", "cmyk.jpg", "exif_rotated.jpg"}) {
    const Outcome outcome = Ocr({Media(name)});
    EXPECT_EQ(outcome.out, "Invoice 204\n") << name;
    EXPECT_EQ(outcome.exit_code, 0) << name << ": " << outcome.err;
  }
  for (const char* name : {"one_pixel_1x1.png", "strip_900x3.png"}) {
    EXPECT_EQ(Ocr({Media(name)}).exit_code, 0) << name;
  }
}

struct BadPicture {
  std::string name, reason;
};

void PrintTo(const BadPicture& picture, std::ostream* out) { *out << picture.name; }

class BadPictureTest : public testing::TestWithParam<BadPicture> {};

TEST_P(BadPictureTest, IsNamedWithItsReasonAndTheOthersAreRead) {
  const std::string bad = Media(GetParam().name);
  const Outcome outcome = Ocr({bad, Media("plain.png")});
  EXPECT_EQ(outcome.out, "==> " + Media("plain.png") + " <==\nInvoice 204\n");
  EXPECT_THAT(outcome.err, HasSubstr("percept: " + bad + ": " + GetParam().reason));
  EXPECT_EQ(outcome.exit_code, 1);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadPictureTest,
    testing::Values(BadPicture{"missing.png", "no such file\n"}, BadPicture{"", "a directory, not a picture\n"},
                    BadPicture{"empty.png", "empty\n"},
                    BadPicture{"text.png", "not a JPEG, PNG, WebP, TIFF or GIF picture\n"},
                    BadPicture{"cut_after_128.jpg", "truncated: "}, BadPicture{"cut_at_half.jpg", "truncated: "},
                    BadPicture{"cut_128_before_end.jpg", "truncated: "},
                    BadPicture{"huge_header.png", "64000x64000 pixels, more than the limit of 100000000\n"}),
    [](const auto& param_info) {
      std::string name = param_info.param.name.empty() ? "folder" : param_info.param.name;
      return name.substr(0, name.find('.'));
    });

TEST(Ocr, WritesAJsonRecordForEachPicture) {
  const Outcome outcome = Ocr({"--json", Media("plain.png"), Media("empty.png")});
  const size_t line_end = outcome.out.find('\n');
  const auto good = nlohmann::json::parse(outcome.out.substr(0, line_end));
  const auto bad = nlohmann::json::parse(outcome.out.substr(line_end));
  EXPECT_EQ(good["text"], "Invoice 204");
  EXPECT_EQ(bad["error"]["reason"], "empty");
  EXPECT_EQ(outcome.exit_code, 1);
}

TEST(Ocr, ReadsStandardInput) {
  const Outcome outcome = Ocr({"-"}, ReadBytes(Media("plain.png")));
  EXPECT_EQ(outcome.out, "Invoice 204\n");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(Ocr({"-"}).err, HasSubstr("percept: standard input: empty\n"));
}

TEST(Ocr, WritesAFile) {
  const TempFolder folder;
  const std::string file = (folder.path() / "text.txt").string();
  EXPECT_EQ(Ocr({Media("plain.png"), "-o", file}).out, "");
  EXPECT_EQ(ReadBytes(file), "Invoice 204\n");
}

TEST(Ocr, RefusesAnOutputThatCannotBeWrittenBeforeAnythingIsLoaded) {
  const TempFolder folder;
  const std::string picture = folder.Write("in.png", ReadBytes(Media("plain.png"))).string();
  const std::string link = (folder.path() / "link.png").string();
  std::filesystem::create_hard_link(picture, link);
  const auto refusal = [&](const std::string& output) {
    const Outcome outcome = Ocr({picture, "--output", output, "--model", "/no/such/model"});
    EXPECT_EQ(outcome.exit_code, 2);
    return outcome.err;
  };
  EXPECT_EQ(refusal("/no/such/text.txt"), "percept: --output /no/such/text.txt: there is no folder /no/such\n");
  const std::string path = folder.path().string();
  EXPECT_EQ(refusal(path), "percept: --output " + path + ": a directory, not a file\n");
  EXPECT_EQ(refusal(picture + "/text.txt"),
            "percept: --output " + picture + "/text.txt: " + picture + " is not a folder\n");
  EXPECT_EQ(refusal(""), "percept: --output: the name of the file is empty\n");
  EXPECT_EQ(refusal(picture), "percept: --output " + picture + " is one of the inputs\n");
  EXPECT_EQ(refusal(link), "percept: --output " + link + " is one of the inputs\n");
  EXPECT_EQ(ReadBytes(picture), ReadBytes(Media("plain.png")));
}

TEST(Ocr, ARefusedRunLeavesItsOutputAsItWas) {
  const TempFolder folder;
  const std::string file = folder.Write("text.txt", "kept").string();
  EXPECT_EQ(Ocr({Media("plain.png"), "-o", file, "--model", "/no/such/model"}).exit_code, 2);
  EXPECT_EQ(ReadBytes(file), "kept");
}

TEST(Ocr, TellsHowManyFailedPicturesItDoesNotName) {
  const Outcome outcome = Ocr(std::vector<std::string>(1003, "/no/such.png"));
  EXPECT_THAT(outcome.err, HasSubstr("percept: 3 more items failed and are not named\n"));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1001);
  EXPECT_EQ(outcome.exit_code, 1);
}

TEST(Ocr, TakesBudgetAndLengthAndThreads) {
  const Outcome outcome = Ocr({"--json", Media("plain.png"), "--budget", "140", "--max-tokens", "4", "--threads", "1"});
  const auto record = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(record["pictures"][0]["budget"], 140);
  EXPECT_EQ(record["tokens"]["output"], 4);
  EXPECT_EQ(record["finish"], "length");
}

TEST(Ocr, RefusesWhatItCannotBeAskedFor) {
  const auto refusal = [](std::vector<std::string> arguments) {
    const Outcome outcome = Ocr(std::move(arguments));
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_THAT(outcome.err, StartsWith("percept: "));
    return outcome.err;
  };
  EXPECT_THAT(refusal({Media("plain.png"), "--budget", "100"}), AllOf(HasSubstr("100"), HasSubstr("70, 140, 280")));
  EXPECT_THAT(refusal({Media("plain.png"), "--budget", "many"}),
              HasSubstr("--budget: takes 70, 140, 280, 560 or 1120, or 0 for the model's own, not 'many'; "));
  EXPECT_THAT(refusal({Media("plain.png"), "--budget", ""}), AllOf(HasSubstr("--budget: "), HasSubstr("not ''")));
  EXPECT_THAT(refusal({Media("plain.png"), "--max-tokens", "0"}),
              HasSubstr("--max-tokens: takes a number of tokens, not '0'"));
  EXPECT_THAT(refusal({Media("plain.png"), "--mode", "best"}), HasSubstr("best"));
  EXPECT_THAT(refusal({Media("plain.png"), "--max-isa", "sse"}), HasSubstr("avx2"));
  EXPECT_THAT(refusal({Media("plain.png"), "--threads", "-1"}), HasSubstr("-1"));
  EXPECT_THAT(refusal({Media("plain.png"), "--context", "9000"}), HasSubstr("made for at most 8192"));
  EXPECT_THAT(refusal({Media("plain.png"), "--context", "2000", "--kv-memory", "1MiB"}),
              AllOf(HasSubstr("a context of 2000 tokens needs"), HasSubstr("the limit is 1048576")));
  EXPECT_THAT(refusal({}), HasSubstr("images is required"));
  EXPECT_THAT(refusal({Media("plain.png"), "--model", "/no/such/model"}), HasSubstr("/no/such/model"));
}

TEST(Ocr, APromptLongerThanTheContextFailsItsPicture) {
  const Outcome outcome = Ocr({Media("plain.png"), "--prompt", std::string(20000, 'x')});
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("percept: " + Media("plain.png") + ": "), HasSubstr("context")));
  EXPECT_EQ(outcome.exit_code, 1);
}

TEST(Ocr, TheContextIsAsLongAsItSays) {
  EXPECT_THAT(Ocr({Media("plain.png"), "--context", "60"}).err,
              AllOf(HasSubstr("context full: the prompt has "), HasSubstr("the context holds 60")));
}

TEST(Ocr, ModelComesFromTheEnvironmentUnlessGiven) {
  const std::vector<std::string> environment = {"PERCEPT_MODEL=/no/such/model"};
  EXPECT_EQ(RunProgram({"ocr", Media("plain.png")}, "", environment).exit_code, 2);
  const std::string embedded = SourceDir().string() + "/models/percept-tiny";
  EXPECT_EQ(RunProgram(Reading({"ocr", Media("plain.png"), "--model", embedded}), "", environment).exit_code, 0);
}

TEST(Ocr, StopsWhereStandardOutputIsClosed) {
  Program program(Reading({"ocr", Media("plain.png")}));
  program.CloseOutput();
  program.CloseInput();
  const Outcome outcome = program.Finish();
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("percept: standard output was closed before all was written\n"));
}

TEST(Ocr, TellsAClosedStandardInputFromAnEmptyOne) {
  const Outcome outcome = Program(Reading({"ocr", "-"}), {}, {STDIN_FILENO}).Finish();
  EXPECT_THAT(outcome.err, HasSubstr("percept: standard input: is closed\n"));
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(Ocr({"-"}).err, HasSubstr("percept: standard input: empty\n"));
}

TEST(Ocr, NamesOptionsThatItDoesNotHave) {
  Outcome outcome = Ocr({"-x.png"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err,
            "percept: no option '-x.png'; a file of that name is given as ./-x.png; percept --help lists what there "
            "is\n");
  EXPECT_THAT(Ocr({Media("plain.png"), "--promt=a"}).err, HasSubstr("percept: no option '--promt'; nearest: --prompt"));
}

TEST(Ocr, StopsWhereItWasStartedWithoutStandardOutput) {
  const Outcome outcome = Program(Reading({"ocr", Media("plain.png")}), {}, {STDIN_FILENO, STDOUT_FILENO}).Finish();
  EXPECT_THAT(outcome.err, HasSubstr("percept: standard output is closed\n"));
  EXPECT_EQ(outcome.exit_code, 3);
}

TEST(Ocr, ReadsWhereItWasStartedWithoutStandardError) {
  const Outcome outcome = Program(Reading({"ocr", Media("plain.png"), "/no/such.png"}), {}, {STDERR_FILENO}).Finish();
  EXPECT_EQ(outcome.out, "==> " + Media("plain.png") + " <==\nInvoice 204\n");
  EXPECT_EQ(outcome.exit_code, 1);
}

TEST(Ocr, ATerminalGetsNoControlCharactersOfNames) {
  const TempFolder folder;
  const std::string name = folder.path().string() + "/a\x1b[31m.png";
  std::filesystem::copy_file(Media("plain.png"), name);
  const std::vector<std::string> arguments = Reading({"ocr", name, Media("plain.png")});
  EXPECT_THAT(Program(arguments, {}, {}, /*terminal=*/true).Finish().out,
              StartsWith("==> " + folder.path().string() + "/a\\x1b[31m.png <==\r\nInvoice 204\r\n"));
  EXPECT_THAT(RunProgram(arguments).out, StartsWith("==> " + name + " <==\nInvoice 204\n"));
}

constexpr const char* kStoppedEarly = "percept: stopped before the end of the input; what had been read is done\n";

TEST(Ocr, ASignalEndsTheWaitForStandardInput) {
  for (const int signal : {SIGINT, SIGHUP}) {
    // The first picture's text says that the run is on its way; the second one never comes.
    Program program(Reading({"ocr", Media("plain.png"), "-"}));
    program.WaitForOutput();
    program.Signal(signal);
    const Outcome outcome = program.Finish();
    EXPECT_EQ(outcome.out, "==> " + Media("plain.png") + " <==\nInvoice 204\n");
    EXPECT_THAT(outcome.err, HasSubstr("percept: finishing what is under way; once more to stop at once\n"));
    EXPECT_THAT(outcome.err, HasSubstr(kStoppedEarly));
    EXPECT_EQ(outcome.exit_code, 3);
  }
}

TEST(Ocr, GoesOnWithoutItsTerminalUnderNohup) {
  struct sigaction ignored {
  }, before{};
  ignored.sa_handler = SIG_IGN;
  sigaction(SIGHUP, &ignored, &before);
  Program program(Reading({"ocr", Media("plain.png"), "-"}));
  sigaction(SIGHUP, &before, nullptr);
  program.WaitForOutput();
  program.Signal(SIGHUP);
  program.CloseInput();
  const Outcome outcome = program.Finish();
  EXPECT_THAT(outcome.err, HasSubstr("percept: standard input: empty\n"));
  EXPECT_EQ(outcome.exit_code, 1);
}

TEST(Ocr, ASignalEndsALongRun) {
  std::vector<std::string> arguments = {"ocr"};
  arguments.insert(arguments.end(), 2000, Media("plain.png"));
  Program program(Reading(std::move(arguments)));
  program.WaitForOutput();
  program.Signal(SIGTERM);
  const Outcome outcome = program.Finish();
  EXPECT_THAT(outcome.out, StartsWith("==> "));
  EXPECT_THAT(outcome.out, testing::EndsWith("Invoice 204\n"));  // of the last picture that was begun
  EXPECT_THAT(outcome.err, HasSubstr(kStoppedEarly));
  EXPECT_EQ(outcome.exit_code, 3);
}

TEST(Ocr, ASecondSignalDropsWhatIsUnderWay) {
  std::vector<std::string> arguments = {"ocr"};
  arguments.insert(arguments.end(), 2000, Media("plain.png"));
  Program program(Reading(std::move(arguments)));
  program.WaitForOutput();
  program.Signal(SIGINT);
  program.Signal(SIGTERM);  // another one: two of a kind may arrive as one
  const Outcome outcome = program.Finish();
  EXPECT_THAT(outcome.err, HasSubstr("percept: cancelled\n"));
  EXPECT_EQ(outcome.exit_code, 3);
}

TEST(Chart, AsksForTheChart) {
  const std::filesystem::path media = SourceDir() / "examples" / "media";
  const Outcome outcome = RunProgram(Reading({"chart", (media / "chart.png").string(), "--mode", "exact"}));
  EXPECT_EQ(outcome.out, "Sales report\nJan: 5\nFeb: 2\nMar: 8\n");
  EXPECT_EQ(outcome.exit_code, 0);
}

}  // namespace
}  // namespace percept::cli
