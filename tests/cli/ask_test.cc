// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/cli/program.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"

namespace percept::cli {
namespace {

using testing::AllOf;
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

TEST(Ask, TakesOnePictureOrClipFromStandardInput) {
  const auto ask = [](const std::vector<std::string>& flags, const std::string& input) {
    std::vector<std::string> words = {"ask", kQuestion};
    words.insert(words.end(), flags.begin(), flags.end());
    return RunProgram(words, input);
  };
  EXPECT_EQ(ask({"--image", "-"}, ReadText(Media("plain.png"))).out, "Invoice 204\n");
  const std::string speech = (TestDataDir() / "tiny-samples" / "speech_3.wav").string();
  const std::string heard = Ask({"--audio", speech}).out;
  EXPECT_NE(heard, "");
  EXPECT_EQ(ask({"--audio", "-"}, ReadText(speech)).out, heard);
  const Outcome cut = ask({"--image", "-"}, ReadText(Media("plain.png")).substr(0, 40));
  EXPECT_EQ(cut.exit_code, 1);
  EXPECT_THAT(cut.err, StartsWith("percept: -: "));
  Program closed({"ask", kQuestion, "--image", "-"}, {}, {STDIN_FILENO});
  EXPECT_EQ(closed.Finish().err, "percept: -: is closed\n");
  const Outcome twice = ask({"--image", "-", "--audio", "-"}, "");
  EXPECT_EQ(twice.exit_code, 2);
  EXPECT_EQ(twice.err, "percept: '-', standard input, is one picture or one clip: it is given more than once\n");
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

// A second of a WAV file's silence, 16 kHz mono, `num_seconds` times.
std::string Silence(int num_seconds) {
  const auto number = [](uint32_t value, size_t num_bytes) {
    return std::string(reinterpret_cast<const char*>(&value), num_bytes);
  };
  const uint32_t num_bytes = 32000U * static_cast<uint32_t>(num_seconds);
  return "RIFF" + number(36 + num_bytes, 4) + "WAVEfmt " + number(16, 4) + number(1, 2) + number(1, 2) +
         number(16000, 4) + number(32000, 4) + number(2, 2) + number(16, 2) + "data" + number(num_bytes, 4) +
         std::string(num_bytes, '\0');
}

// One line each: what FFmpeg itself would print is not there.
TEST(Ask, NamesSoundThatCannotBeUsed) {
  const TempFolder folder;
  const auto error = [](const std::filesystem::path& file) {
    const Outcome outcome = Ask({"--audio", file.string()});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  };
  const auto line = [](const std::filesystem::path& file, const std::string& reason) {
    return "percept: " + file.string() + ": " + reason + "\n";
  };
  EXPECT_EQ(error("/nowhere.wav"), line("/nowhere.wav", "no such file"));
  EXPECT_EQ(error(folder.path() / "caf\xe9.wav"), line(folder.path() / "caf\xe9.wav", "no such file"));
  EXPECT_EQ(error(folder.path()), line(folder.path(), "a directory, not sound"));
  const std::filesystem::path picture = folder.Write("picture.wav", ReadText(Media("plain.png")));
  EXPECT_EQ(error(picture), line(picture, "no sound in it: it holds video (png)"));
  const std::filesystem::path cut = folder.Write("cut.wav", Silence(2).substr(0, 32044));
  EXPECT_EQ(error(cut), line(cut, "truncated: it ends after 1 s, 32000 bytes before the end that it states"));
  const std::filesystem::path noise = folder.Write("noise.mp4", Silence(1).substr(44) + "ftyp");
  EXPECT_THAT(error(noise),
              AllOf(StartsWith(line(noise, "no sound that can be read: ").substr(0, noise.string().size())),
                    testing::Not(HasSubstr("\n["))));
  const std::filesystem::path lengthy = folder.Write("long.wav", Silence(31));
  EXPECT_EQ(error(lengthy), line(lengthy, "31 s of sound, more than the limit of 30 s"));
  // Before pictures are decoded.
  EXPECT_EQ(Ask({"--image", Media("empty.png"), "--audio", lengthy.string()}).err,
            line(lengthy, "31 s of sound, more than the limit of 30 s"));
}

TEST(Ask, WritesDownWhatIsSaid) {
  const std::string speech = (TestDataDir() / "tiny-samples" / "speech_3.wav").string();
  const Outcome asked = RunProgram({"ask", "Transcribe the audio.", "--audio", speech});
  EXPECT_EQ(asked.exit_code, 0);
  EXPECT_EQ(asked.out, "my number is four two seven one\n") << asked.err;
  const Outcome run = RunProgram({"run", (SourceDir() / "pipelines" / "transcribe.yaml").string(), "--set",
                                  "input=" + speech, "--set", "format=jsonl"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr(R"("text":"my number is four two seven one")"), HasSubstr(R"("seconds":2.47)"),
                             HasSubstr(R"("soft_tokens":)")));
}

TEST(Ask, RefusesSoundForAModelWithoutAnAudioEncoder) {
  PERCEPT_NEED_SHARED();
  const std::string model = (SharedDir() / "goldens" / "variants" / "31b").string();
  const Outcome outcome = Ask({"--audio", "/nowhere.wav", "--model", model});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err, "percept: " + model + ": this model takes no sound: it has no audio encoder\n");
}

TEST(Ask, TakesPicturesAndSoundTogether) {
  PERCEPT_NEED_SHARED();
  const std::filesystem::path goldens = SharedDir() / "goldens";
  const auto answer = [&](std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--model", (goldens / "variants" / "12b").string(), "--mode", "exact", "--max-tokens",
                               "12", "-i", (goldens / "variants" / "inputs" / "image_a.png").string()});
    const Outcome outcome = Ask(flags);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  };
  const std::string chirp = (goldens / "audio" / "chirp.wav").string();
  const std::string stereo = (goldens / "audio" / "stereo44.wav").string();
  const std::string both = answer({"-a", chirp, "-a", stereo});
  EXPECT_NE(both, "");
  EXPECT_NE(both, answer({"-a", stereo, "-a", chirp}));
  EXPECT_NE(both, answer({"-a", chirp}));
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
