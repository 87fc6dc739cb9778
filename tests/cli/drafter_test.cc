// SPDX-License-Identifier: Apache-2.0
// Drafters on the command line and in pipelines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/cli/program.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"

namespace percept::cli {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

// The model that the drafter was made for, without the tower for sound that the files of the tests leave out.
class TargetModel {
 public:
  TargetModel() {
    const std::filesystem::path source = TestDataDir() / "e2b";
    for (const char* file :
         {"generation_config.json", "processor_config.json", "tokenizer.json", "model.safetensors"}) {
      std::filesystem::copy_file(source / file, folder_.path() / file);
    }
    Json config = Json::parse(ReadText(source / "config.json"));
    config.erase("audio_config");
    folder_.Write("config.json", config.dump());
  }
  std::string path() const { return folder_.path().string(); }

 private:
  TempFolder folder_;
};

std::string DrafterPath() { return (TestDataDir() / "e2b-drafter").string(); }
std::string Picture() { return (TestDataDir() / "bad_media" / "plain.png").string(); }

class Drafter : public testing::Test {
 protected:
  std::string ModelPath() const { return model_.path(); }

  const TargetModel model_;
};

std::vector<std::string> Ask(std::vector<std::string> flags) {
  flags.insert(flags.begin(), {"ask", "Count to ten.", "--max-tokens", "60", "--max-repeats", "0", "--mode", "exact"});
  return Reading(std::move(flags));
}

TEST_F(Drafter, AskAnswersTheSameWithOne) {
  const Outcome plain = RunProgram(Ask({"--model", ModelPath()}));
  const Outcome drafted = RunProgram(Ask({"--model", ModelPath(), "--drafter", DrafterPath()}));
  EXPECT_EQ(drafted.exit_code, 0) << drafted.err;
  EXPECT_NE(plain.out, "");
  EXPECT_EQ(drafted.out, plain.out);
  EXPECT_EQ(drafted.err, plain.err);
}

TEST_F(Drafter, OcrTellsInTheRecordWhatWasDrafted) {
  const std::vector<std::string> plain_flags =
      Reading({"ocr", Picture(), "--model", ModelPath(), "--max-tokens", "90", "--mode", "exact", "--json"});
  std::vector<std::string> flags = plain_flags;
  flags.insert(flags.end(), {"--drafter", DrafterPath()});
  const Outcome plain = RunProgram(plain_flags);
  const Outcome drafted = RunProgram(flags);
  ASSERT_EQ(drafted.exit_code, 0) << drafted.err;
  const Json plain_record = Json::parse(plain.out);
  const Json record = Json::parse(drafted.out);
  EXPECT_EQ(record.at("text"), plain_record.at("text"));
  EXPECT_EQ(record.at("tokens"), plain_record.at("tokens"));
  EXPECT_FALSE(plain_record.contains("drafts"));
  // The second and the third step measure: so much is drafted whatever it costs.
  EXPECT_GT(record.at("drafts").at("drafted"), 0);
  EXPECT_LE(record.at("drafts").at("accepted"), record.at("drafts").at("drafted"));
}

class DrafterPipeline : public Drafter {
 protected:
  // A pipeline whose nodes name these files.
  std::string Write(const std::string& of_see, const std::string& of_say) const {
    const std::string model = ", model: \"" + ModelPath() + "\"";
    return folder_
        .Write("drafter.yaml", "percept: 1\nnodes:\n  read: { type: image.file, path: \"" + Picture() + "\" }\n" +
                                   "  see: { type: encode.vision, in: read.image" + model + of_see + " }\n" +
                                   "  say: { type: decode.gemma4, in: see.tokens, prompt: \"What?\", max_tokens: 20" +
                                   model + of_say +
                                   " }\n  out: { type: sink.jsonl, in: say.record, path: \"-\", timing: false }\n")
        .string();
  }
  const std::string drafter_ = ", drafter: \"" + DrafterPath() + "\"";

  TempFolder folder_;
};

TEST_F(DrafterPipeline, NodesThatNameTheSameShareTheModel) {
  const std::string file = Write(drafter_, drafter_);
  const Outcome run = RunProgram(Reading({"run", file, "--mode", "exact"}));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(RunProgram({"check", file}).out,
              HasSubstr("model of see, say: 1.9 MB of weights (" + ModelPath() + " with " + DrafterPath() + ")\n"));
  const Outcome plain = RunProgram(Reading({"run", Write("", ""), "--mode", "exact"}));
  EXPECT_EQ(run.out, plain.out);  // what was drafted goes with the times
}

TEST_F(DrafterPipeline, ANodeWithAModelOfItsOwnHasNoDrafterOfTheRun) {
  const Outcome check = RunProgram({"check", Write("", drafter_), "--drafter", "/nowhere"});
  EXPECT_EQ(check.exit_code, 0) << check.err;
  EXPECT_THAT(check.out,
              AllOf(HasSubstr("model of see: "), HasSubstr("model of say: "),
                    HasSubstr("note: see and say name " + ModelPath() + " with different drafters, or one of them")));
}

TEST_F(DrafterPipeline, ItIsAParameterOfEveryPipeline) {
  const Outcome set = RunProgram({"run", (SourceDir() / "pipelines/ocr.yaml").string(), "--set", "input=" + Picture(),
                                  "--set", "drafter=/nowhere/drafter"});
  EXPECT_EQ(set.exit_code, 2);
  EXPECT_THAT(set.err, HasSubstr("/nowhere/drafter: no such file or folder"));
}

TEST_F(DrafterPipeline, NoSinkWritesOverIt) {
  const std::string weights = DrafterPath() + "/model.safetensors";
  const Outcome outcome = RunProgram({"run", (SourceDir() / "pipelines/ocr.yaml").string(), "--set",
                                      "input=" + Picture(), "--set", "output=" + weights, "--drafter", DrafterPath()});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("'out' would write " + weights + ", which is the model's drafter"));
}

TEST_F(Drafter, OfAnotherModelIsRefused) {
  for (const std::vector<std::string>& verb :
       std::vector<std::vector<std::string>>{{"ask", "What?"}, {"ocr", Picture()}, {"doctor"}}) {
    std::vector<std::string> arguments = verb;
    arguments.insert(arguments.end(), {"--drafter", DrafterPath()});
    const Outcome outcome = RunProgram(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << verb[0];
    EXPECT_THAT(outcome.err,
                AllOf(HasSubstr("percept: " + DrafterPath() + "/config.json: the drafter of another model than "),
                      HasSubstr("percept-tiny/config.json: made for width 64, not 256"),
                      HasSubstr("a vocabulary of 512, not ")))
        << verb[0];
  }
}

TEST_F(Drafter, AModelThatIsNoneIsRefused) {
  const Outcome outcome = RunProgram(Ask({"--model", ModelPath(), "--drafter", ModelPath()}));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err, "percept: " + ModelPath() +
                             "/config.json: no drafter, it names no model to draft for (backbone_hidden_size)\n");
}

TEST_F(Drafter, InThePlaceOfTheModelIsRefused) {
  const Outcome outcome = RunProgram(Ask({"--model", DrafterPath()}));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr(DrafterPath() + "/config.json: a drafter (backbone_hidden_size)"),
                                 EndsWith("name it as the drafter of that model\n")));
}

TEST_F(Drafter, InspectSaysWhatItIs) {
  const Outcome alone = RunProgram({"model", "inspect", DrafterPath()});
  EXPECT_EQ(alone.exit_code, 0) << alone.err;
  EXPECT_THAT(alone.out,
              AllOf(HasSubstr("\n  a drafter (MTP assistant) for a model of width 64\n"),
                    HasSubstr("\n  keys and values of that model in 4 layers\n"),
                    HasSubstr("the embedding table, of which 4 of 32 clusters of tokens are looked at\n"),
                    EndsWith("name it as the drafter of its model (--drafter).\n"), Not(HasSubstr("memory"))));
  const Outcome both = RunProgram({"model", "inspect", ModelPath(), "--drafter", DrafterPath()});
  EXPECT_THAT(both.out, AllOf(HasSubstr("\ndrafter     " + DrafterPath() + ": 69748 parameters, 147.6 kB\n"),
                              HasSubstr("weights as they are stored  1.9 MB\n")));
}

TEST_F(Drafter, VerifyReadsItBesideItsModel) {
  const Outcome outcome = RunProgram({"model", "verify", ModelPath(), "--drafter", DrafterPath()});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("\ndrafter: 3 tokens drafted\n"), EndsWith("\nOK\n")));
}

TEST_F(Drafter, CheckRefusesItInThePlaceOfTheModel) {
  const Outcome outcome =
      RunProgram({"check", (SourceDir() / "pipelines/ocr.yaml").string(), "--model", DrafterPath()});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr(DrafterPath() + "/config.json: a drafter (backbone_hidden_size)"));
}

TEST_F(Drafter, BenchHasAStageWithOne) {
  const std::vector<std::string> bench = {"bench", "--model", ModelPath(), "--repetitions", "1", "--tokens", "4"};
  EXPECT_THAT(RunProgram(bench).out, Not(HasSubstr("\ndrafted ")));
  std::vector<std::string> with_drafter = bench;
  with_drafter.insert(with_drafter.end(), {"--drafter", DrafterPath()});
  const Outcome outcome = RunProgram(with_drafter);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("\ndrafted "));
  EXPECT_EQ(RunProgram({"bench", "--shape", "e2b", "--drafter", DrafterPath()}).exit_code, 2);
}

}  // namespace
}  // namespace percept::cli
