// SPDX-License-Identifier: Apache-2.0
// Models in GGUF files on the command line and in pipelines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/cli/program.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"

namespace percept::cli {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;

class GgufVerbs : public testing::Test {
 protected:
  void SetUp() override { PERCEPT_NEED_SHARED(); }
  static std::string Text() { return (SharedDir() / "goldens/gguf/e2b-256-q4_0.gguf").string(); }
  static std::string Mmproj() { return (SharedDir() / "goldens/gguf/e2b-256-mmproj.gguf").string(); }
  static std::string Picture() { return (TestDataDir() / "bad_media/plain.png").string(); }
};

TEST_F(GgufVerbs, OcrReadsAPictureWithTheTwoFilesOrTheirFolder) {
  const Outcome files =
      RunProgram(Reading({"ocr", Picture(), "--model", Text(), "--mmproj", Mmproj(), "--max-tokens", "8", "--json"}));
  EXPECT_EQ(files.exit_code, 0) << files.err;
  EXPECT_THAT(files.out, HasSubstr("\"e2b-256-q4_0\""));
  const TempFolder folder;
  for (const std::string& file : {Text(), Mmproj()}) {
    const std::filesystem::path path = std::filesystem::absolute(file);
    std::filesystem::create_symlink(path, folder.path() / path.filename());
  }
  const Outcome both = RunProgram(Reading({"ocr", Picture(), "--model", folder.path().string(), "--max-tokens", "8"}));
  EXPECT_EQ(both.exit_code, 0) << both.err;
}

TEST_F(GgufVerbs, APictureWithoutEncodersIsRefusedBeforeItIsRead) {
  const Outcome outcome = RunProgram(Reading({"ocr", "/no/such/picture.png", "--model", Text()}));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("node 'see' (encode.vision) cannot be made: " + Text() +
                                           ": this model takes no pictures: its GGUF file has no encoders"),
                                 HasSubstr("no mmproj file is given (--mmproj) or in its folder"),
                                 testing::Not(HasSubstr("/no/such/picture.png"))));
}

TEST_F(GgufVerbs, AskRefusesAPictureWithoutEncodersBeforeItIsRead) {
  const Outcome outcome = RunProgram({"ask", "What is it?", "-i", "/no/such/picture.png", "--model", Text()});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "percept: " + Text() +
                             ": this model takes no pictures: its GGUF file has no encoders, and no mmproj file is "
                             "given (--mmproj) or in its folder\n");
}

TEST_F(GgufVerbs, APipelineNamesBothFilesOnItsNodes) {
  const TempFolder folder;
  const std::string model = ", model: \"" + Text() + "\", mmproj: \"" + Mmproj() + "\" }\n";
  const auto file =
      folder.Write("two.yaml", "percept: 1\nnodes:\n  read: { type: image.file, path: \"" + Picture() + "\" }\n" +
                                   "  see: { type: encode.vision, in: read.image" + model +
                                   "  say: { type: decode.gemma4, in: see.tokens, prompt: \"What?\", max_tokens: 4" +
                                   model + "  out: { type: sink.text, in: say.record, path: \"-\" }\n");
  const Outcome outcome = RunProgram(Reading({"run", file.string()}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const Outcome check = RunProgram({"check", file.string()});
  EXPECT_THAT(check.out, HasSubstr("model of see, say: 3.1 MB of weights"));
}

TEST_F(GgufVerbs, InspectTellsMechanismsTypesAndMemory) {
  const Outcome outcome = RunProgram({"model", "inspect", Text(), "--mmproj", Mmproj(), "--context", "1000"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* part :
       {"(GGUF)", "  Q4_0  2146304\n", "attention to a window of 16 tokens in 2 layers", "8 of 32 pairs",
        "keys and values of earlier layers in 2 layers", "feed-forward of width 256 or 512",
        "per-layer embeddings of width 64", "pictures: a tower of 3 layers", "linears with bounds",
        "none in the checkpoint", "at a context of 1000 tokens"}) {
    EXPECT_THAT(outcome.out, HasSubstr(part));
  }
}

TEST_F(GgufVerbs, VerifySaysOkOfAWholeModel) {
  const Outcome outcome = RunProgram({"model", "verify", Text(), "--mmproj", Mmproj()});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("all values finite"), HasSubstr("soft tokens, finite"), EndsWith("\nOK\n")));
}

TEST_F(GgufVerbs, InspectAndVerifySayTheSameAsJson) {
  const Outcome outcome = RunProgram({"model", "inspect", Text(), "--mmproj", Mmproj(), "--context", "1000", "--json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const nlohmann::json card = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(card.at("format"), "gguf");
  EXPECT_EQ(card.at("dtypes").at("Q4_0"), 2146304);
  EXPECT_EQ(card.at("layers"), 4);
  EXPECT_EQ(card.at("memory").at("context_tokens"), 1000);
  EXPECT_GT(card.at("memory").at("sequence_bytes"), 0);
  EXPECT_EQ(card.at("is_drafter"), false);
  EXPECT_FALSE(card.contains("unsupported"));
  const Outcome whole = RunProgram({"model", "verify", Text(), "--mmproj", Mmproj(), "--json"});
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
  const nlohmann::json verdict = nlohmann::json::parse(whole.out);
  EXPECT_EQ(verdict.at("ok"), true);
  EXPECT_EQ(verdict.at("passed").size(), 6u);
  const Outcome missing = RunProgram({"model", "verify", "/no/such.gguf", "--json"});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_EQ(missing.err, "");
  const nlohmann::json refusal = nlohmann::json::parse(missing.out);
  EXPECT_EQ(refusal.at("ok"), false);
  EXPECT_THAT(refusal.at("problems").at(0).get<std::string>(), testing::StartsWith("/no/such.gguf: no such file"));
}

TEST_F(GgufVerbs, VerifyNamesAFileThatIsCut) {
  const TempFolder folder;
  const std::filesystem::path cut = folder.path() / "cut.gguf";
  std::filesystem::copy(Text(), cut);
  std::filesystem::resize_file(cut, 1000000);
  const Outcome outcome = RunProgram({"model", "verify", cut.string()});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.out, testing::Not(HasSubstr("OK")));
  EXPECT_THAT(outcome.err, HasSubstr("cut.gguf"));
}

}  // namespace
}  // namespace percept::cli
