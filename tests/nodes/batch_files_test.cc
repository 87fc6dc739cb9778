// SPDX-License-Identifier: Apache-2.0
// Files and folders as inputs of a batch, and what stands where its outputs go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "nodes/batch/batch.h"
#include "tests/nodes/batch_fixture.h"
#include "tests/support/other_user.h"

namespace percept::nodes {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST_F(BatchTest, AFolderStandsForItsFiles) {
  std::filesystem::create_directories(folder_.path() / "in" / "deeper");
  std::filesystem::create_directories(folder_.path() / "in" / ".hidden");
  for (const char* name : {"in/b.png", "in/deeper/a.png", "in/.hidden/c.png", "in/.d.png"}) {
    folder_.Write(name, name);
  }
  options_.arguments.values["output"] = {"${input.dir}/${input.stem}.txt"};
  EXPECT_EQ(Run({Folder() + "/in"}).num_inputs, 2U);
  options_.resume = true;
  const BatchReport again = Run({Folder() + "/in"});
  EXPECT_EQ(again.num_inputs, 2U) << "outputs were taken for inputs";
  EXPECT_EQ(again.num_done_before, 2U);
}

TEST_F(BatchTest, AFileInAFolderIsAnOutputOnlyWhereTheJournalSaysSo) {
  std::filesystem::create_directories(folder_.path() / "in");
  const std::string in = Folder() + "/in";
  folder_.Write("in/a.scr", "words");
  folder_.Write("in/a.txt", "my own notes");
  options_.arguments.values["output"] = {"${input.dir}/${input.stem}.txt"};
  EXPECT_EQ(Refusal({in}), WouldWriteInput(in + "/a.scr", in + "/a.txt", in + "/a.txt"));
  EXPECT_EQ(ReadText(in + "/a.txt"), "my own notes");
  EXPECT_FALSE(std::filesystem::exists(options_.journal));

  std::filesystem::remove(in + "/a.txt");
  EXPECT_EQ(Run({in}).num_done, 1U);
  EXPECT_THAT(Refusal({in}), HasSubstr("holds what an earlier run did (1 done, 0 failed, 0 begun): add --resume"));
  options_.resume = true;
  folder_.Write("in/b.txt", "more notes");
  EXPECT_EQ(Refusal({in}), WouldWriteInput(in + "/b.txt", in + "/b.txt", in + "/b.txt"));
  std::filesystem::remove(in + "/b.txt");
  folder_.Write("in/b.scr", "words");
  EXPECT_EQ(Run({in}).num_done, 2U);
  const std::string rows = ReadText(in + "/a.txt");
  folder_.Write("in/a.txt", "my own notes");
  EXPECT_EQ(Refusal({in}), WouldWriteInput(in + "/a.scr", in + "/a.txt", in + "/a.txt"));
  EXPECT_EQ(ReadText(in + "/a.txt"), "my own notes");
  folder_.Write("in/a.txt", rows);
  std::filesystem::remove(in + "/a.scr");
  EXPECT_EQ(Run({in}).num_inputs, 1U) << "an output of an input that is gone was taken for an input";
  options_.journal = folder_.path() / "other";
  EXPECT_EQ(Refusal({in}), WouldWriteInput(in + "/a.txt", in + "/a.txt", in + "/a.txt"));
}

TEST_F(BatchTest, ALinkMakesNoOutputOfAnInput) {
  std::filesystem::create_directories(folder_.path() / "in");
  const std::string in = Folder() + "/in";
  folder_.Write("in/a", "words");
  folder_.Write("in/b", "precious");
  std::filesystem::create_symlink(in + "/b", folder_.path() / "out/a.txt");
  EXPECT_EQ(Refusal({in}), WouldWriteInput(in + "/a", in + "/b", in + "/b"));
  EXPECT_EQ(ReadText(in + "/b"), "precious");
}

TEST_F(BatchTest, AFolderStandsForNothingThatTheBatchItselfWritesOrReads) {
  std::filesystem::create_directories(folder_.path() / "in");
  const std::string in = Folder() + "/in";
  folder_.Write("in/a", "words");
  options_.arguments.values.clear();
  options_.journal = in + "/journal";
  options_.merge = in + "/all.txt";
  options_.failed_list = in + "/failed";
  options_.list = folder_.Write("in/list", in);
  options_.pipeline_name = folder_.Write("in/p.yaml", kPipeline).string();
  EXPECT_EQ(Run({in}).num_inputs, 1U);
  folder_.Write("in/failed", "");
  options_.resume = true;
  EXPECT_EQ(Run({in}).num_inputs, 1U);
  EXPECT_TRUE(std::filesystem::exists(in + "/journal.rows"));
  options_.failed_list = in + "/a";
  EXPECT_EQ(Refusal({in}), in + "/a is an input of the earlier run: it cannot be written, or read as something else");
  options_.journal = in + "/other";
  EXPECT_EQ(Refusal({in}), "--merge " + in + "/all.txt is the input " + in + "/all.txt") << "nobody's yet";
}

TEST_F(BatchTest, WhatIsNoFileInAFolderIsNotPassedOverInSilence) {
  std::filesystem::create_directories(folder_.path() / "in");
  std::filesystem::create_directories(folder_.path() / "elsewhere");
  const std::string in = Folder() + "/in", lost = in + "/lost";
  folder_.Write("in/ok", "words");
  std::filesystem::create_symlink(in + "/gone", lost);
  std::filesystem::create_directory_symlink(folder_.path() / "elsewhere", in + "/folder");
  ASSERT_EQ(mkfifo((in + "/pipe").c_str(), 0600), 0);
  options_.inputs = {in};
  Batch batch(options_, runtime_);
  EXPECT_THAT(batch.warnings(), UnorderedElementsAre(in + "/pipe: left out: is a pipe, not a file",
                                                     in + "/folder: left out: is a link to a folder, which is not "
                                                          "followed"));
  const BatchReport report = batch.Run();
  EXPECT_EQ(report.num_done, 1U);
  EXPECT_EQ(Failures(report), lost + ": " + lost + ": cannot be read: No such file or directory\n");
}

TEST_F(BatchTest, AFolderThatCannotBeReadIsNamed) {
  const std::string locked = Folder() + "/in/locked";
  std::filesystem::create_directories(locked);
  std::filesystem::permissions(folder_.path(), std::filesystem::perms::all);
  std::filesystem::permissions(locked, std::filesystem::perms::none);
  folder_.Write("in/a", "words");
  const OtherUser other;
  EXPECT_EQ(Refusal({Folder() + "/in"}), locked + ": cannot be read: Permission denied");
}

TEST_F(BatchTest, AnInputThatMayNotBeReadFailsAndTheOthersGoOn) {
  const std::string a = folder_.Write("a", "words").string(), locked = folder_.Write("locked", "words").string();
  for (const auto& folder : {folder_.path(), folder_.path() / "out"}) {
    std::filesystem::permissions(folder, std::filesystem::perms::all);
  }
  std::filesystem::permissions(locked, std::filesystem::perms::none);
  const OtherUser other;
  const BatchReport report = Run({locked, a});
  EXPECT_EQ(Failures(report), locked + ": " + locked + ": cannot be read: Permission denied\n");
  EXPECT_EQ(report.stop_reason, "");
  EXPECT_EQ(report.num_done, 1U);
}

TEST_F(BatchTest, ReadsAChangedInputAnew) {
  const std::string a = folder_.Write("a", "one").string(), b = folder_.Write("b", "one").string();
  Run({a, b});
  folder_.Write("a", "other");
  options_.resume = true;
  const BatchReport report = Run({a, b});
  EXPECT_THAT(report.changed, ElementsAre(a));
  EXPECT_EQ(report.num_done, 2U);
  EXPECT_EQ(report.num_done_before, 1U);
}

TEST_F(BatchTest, AnOutputThatCannotBeWrittenEndsTheBatch) {
  options_.arguments.values["output"] = {"/dev/full"};
  options_.num_jobs = 1;
  const BatchReport report = Run({"a", "b"});
  EXPECT_EQ(
      report.stop_reason,
      "a: records.yaml:7:3: node 'out' (sink.text) failed: /dev/full: cannot be written: No space left on device");
  EXPECT_EQ(report.num_left, 2U);
}

TEST_F(BatchTest, AMergedFileThatCannotBeWrittenIsInTheReport) {
  options_.arguments.values["output"] = {"-"};
  options_.merge = "/dev/full";
  const BatchReport report = Run({"a", "b"});
  EXPECT_EQ(report.stop_reason, "/dev/full: cannot be written: No space left on device");
  EXPECT_EQ(report.num_done, 2U);
}

TEST_F(BatchTest, AnInputWhoseHalfOutputIsGoneIsStartedOver) {
  const std::filesystem::path output = folder_.path() / "out" / "a.txt";
  for (const bool is_removed : {false, true}) {
    options_.resume = false;
    std::filesystem::remove(output);
    Interrupt();
    ASSERT_GT(std::filesystem::file_size(output), 0U);
    std::filesystem::resize_file(output, 0);
    if (is_removed) {
      std::filesystem::remove(output);
    }
    options_.resume = true;
    BatchReport report = Run({"a"});
    EXPECT_EQ(report.stop_reason, "");
    EXPECT_THAT(report.started_over, ElementsAre("a"));
    EXPECT_EQ(Output("a.txt"), "a/0\na/1\na/2\n");
    EXPECT_THAT(Run({"a"}).started_over, IsEmpty());
    std::filesystem::remove(options_.journal);
  }
}

// A file of the user's in the place of an output is kept, and named.
TEST_F(BatchTest, WhatStandsInAnOutputsPlaceIsKept) {
  const std::filesystem::path output = folder_.path() / "out" / "a.txt";
  const auto kept = [&] {
    return "a: a: " + output.string() +
           ": is not what this batch wrote there, and is kept: move it away, and go on with --retry-failed\n";
  };
  for (const std::string mine : {"x", "my own notes, longer than what was committed"}) {
    std::filesystem::remove(output);
    Interrupt();
    options_.resume = true;
    std::filesystem::remove(output);
    folder_.Write("out/a.txt", mine);
    EXPECT_EQ(Failures(Run({"a"})), kept());
    EXPECT_EQ(Failures(Run({"a"})), kept()) << "named once";
    options_.retry_failed = true;
    EXPECT_EQ(Failures(Run({"a"})), kept());
    EXPECT_EQ(Output("a.txt"), mine);
    std::filesystem::remove(output);
    EXPECT_EQ(Run({"a"}).num_done, 1U);
    EXPECT_EQ(Output("a.txt"), "a/0\na/1\na/2\n");
    options_.resume = options_.retry_failed = false;
    std::filesystem::remove(options_.journal);
  }
}

TEST_F(BatchTest, AnAnswerThatWasEditedOutlivesAChangeOfItsInput) {
  const std::string a = folder_.Write("a.scr", "words").string();
  EXPECT_EQ(Run({a}).num_done, 1U);
  options_.resume = true;
  folder_.Write("out/a.txt", a + "/0\nmended by hand\n");
  EXPECT_EQ(Run({a}).num_done, 1U);
  folder_.Write("a.scr", "other words");
  const BatchReport report = Run({a});
  EXPECT_THAT(Failures(report), HasSubstr("a.txt: is not what this batch wrote there, and is kept"));
  EXPECT_THAT(report.changed, IsEmpty());
  EXPECT_EQ(Output("a.txt"), a + "/0\nmended by hand\n");
}

TEST_F(BatchTest, RowsOfOthersAreNotMerged) {
  options_.merge = folder_.path() / "all.txt";
  EXPECT_EQ(Run({"a", "b"}).stop_reason, "");
  folder_.Write("out/a.txt", "my own notes\n");
  options_.resume = true;
  const std::string output = (folder_.path() / "out" / "a.txt").string();
  EXPECT_EQ(Run({"a", "b"}).stop_reason, output + ": the rows of a are not there any more");
  EXPECT_EQ(ReadText(options_.merge), "a/0\na/1\na/2\nb/0\nb/1\nb/2\n");
}

// Pictures need not be: what the pipeline says is a path must be a file that can be read.
TEST_F(BatchTest, AnInputThatIsNotThereFailsAndTheOthersGoOn) {
  options_.pipeline_text.replace(options_.pipeline_text.find("string"), 6, "path");
  const std::string a = folder_.Write("a", "words").string(), gone = Folder() + "/gone";
  options_.num_jobs = 1;
  BatchReport report = Run({gone, a});
  EXPECT_EQ(Failures(report), gone + ": " + gone + ": cannot be read: No such file or directory\n");
  EXPECT_EQ(report.num_done, 1U);
  options_.resume = true;
  EXPECT_EQ(Run({gone, a}).failed.size(), 1U);
  folder_.Write("gone", "is there now");
  report = Run({gone, a});
  EXPECT_THAT(report.failed, IsEmpty());
  EXPECT_EQ(report.num_done, 2U);
  std::filesystem::remove(gone);
  report = Run({gone, a});
  EXPECT_EQ(report.num_done, 2U) << "its output stands";
  EXPECT_EQ(Output("gone.txt"), gone + "/0\n" + gone + "/1\n" + gone + "/2\n");
}

TEST_F(BatchTest, OutputsThatCannotBeWrittenAreRefusedBeforeAnythingStarts) {
  const std::string out = std::filesystem::canonical(folder_.path()).string() + "/out";
  const std::string before = "the input a would write " + out;
  options_.arguments.values["output"] = {out + "/missing/${input.stem}.txt"};
  EXPECT_EQ(Refusal({"a"}), before + "/missing/a.txt: there is no folder " + out + "/missing");
  folder_.Write("out/file", "words");
  options_.arguments.values["output"] = {out + "/file/${input.stem}.txt"};
  EXPECT_EQ(Refusal({"a"}), before + "/file/a.txt: " + out + "/file is not a folder");
  options_.arguments.values["output"] = {out};
  EXPECT_EQ(Refusal({"a"}), before + ": a directory, not a file");
  EXPECT_FALSE(std::filesystem::exists(options_.journal));
  SetOutput("${input.stem}.txt");
  EXPECT_EQ(Run({"a"}).num_done, 1U) << "nothing is in its way";
}

TEST_F(BatchTest, OutputsOfOthersAreRefusedBeforeAnythingStarts) {
  const std::string file = folder_.Write("out/a.txt", "words").string();
  for (const auto& path : {folder_.path(), folder_.path() / "out"}) {
    std::filesystem::permissions(path, std::filesystem::perms::all);
  }
  std::filesystem::permissions(file, std::filesystem::perms::owner_read);
  const OtherUser other;
  EXPECT_EQ(Refusal({"a"}), "the input a would write " + file + ": " + file + " cannot be written: Permission denied");
}

TEST_F(BatchTest, WhatIsDoneNeedNotBeWritable) {
  EXPECT_EQ(Run({"a"}).num_done, 1U);
  for (const auto& path : {folder_.path(), folder_.path() / "out", options_.journal}) {
    std::filesystem::permissions(path, std::filesystem::perms::all);
  }
  std::filesystem::permissions(folder_.path() / "out/a.txt", std::filesystem::perms(0444));
  options_.resume = true;
  const OtherUser other;
  EXPECT_EQ(Run({"a"}).num_done_before, 1U);
}

TEST_F(BatchTest, RefusesTheFolderOfRowsAsTheMergedFile) {
  options_.arguments.values.clear();
  options_.merge = Folder() + "/journal.rows";
  EXPECT_EQ(Refusal({"a"}), "--merge " + Folder() + "/journal.rows is the folder of rows beside the journal");
  EXPECT_FALSE(std::filesystem::exists(options_.journal));
  std::filesystem::create_directories(options_.merge);
  EXPECT_EQ(Refusal({"a"}), "--merge " + Folder() + "/journal.rows is the folder of rows beside the journal");
}

TEST_F(BatchTest, WhereNothingWasBegunThereIsNoJournal) {
  options_.merge = folder_.path() / "all.txt";
  options_.arguments.values["output"] = {"-"};
  options_.inputs = {"a"};
  {
    Batch batch(options_, runtime_);
    batch.Stop();
    EXPECT_EQ(batch.Run().num_left, 1U);
  }
  EXPECT_FALSE(std::filesystem::exists(options_.journal));
  EXPECT_FALSE(std::filesystem::exists(Folder() + "/journal.rows"));
  options_.pipeline_text +=
      "  look: { type: image.file, path: \"${input}\" }\n"
      "  see: { type: encode.vision, in: look.image, model: /no/such/model }\n";
  EXPECT_THAT(Refusal({"a"}), HasSubstr("/no/such/model"));
  EXPECT_FALSE(std::filesystem::exists(options_.journal));
}

constexpr const char* kLooking = R"(percept: 1
params:
  input: { type: path, required: true }
  output: { type: path, required: true }
nodes:
  read: { type: image.file, path: [ "${input}", "${input}" ] }
  see: { type: encode.vision, in: read.image, model: /no/such/model }
  say: { type: decode.gemma4, in: see.tokens, prompt: "Read.", model: /no/such/model }
  out: { type: sink.jsonl, in: say.record, path: "${output}" }
)";

TEST_F(BatchTest, WhatCannotBeReadFailsWithoutItsModel) {
  options_.pipeline_text = kLooking;
  const std::string gone = Folder() + "/gone";
  const std::string failure = gone + ": " + gone + ": no such file\n";
  EXPECT_EQ(Failures(Run({gone})), failure + failure);
  const std::string rows = Output("gone.txt");
  EXPECT_THAT(rows, HasSubstr(R"("text":null,"error":{"kind":"bad_input","reason":"no such file","node":"read"}})"));
  EXPECT_EQ(std::count(rows.begin(), rows.end(), '\n'), 2);
  options_.resume = true;
  EXPECT_THAT(Refusal({gone, folder_.Write("there", "words").string()}), HasSubstr("/no/such/model"));
}

TEST_F(BatchTest, WhereSomethingElseIsReadItIsReadWithTheModel) {
  options_.pipeline_text = kLooking;
  options_.pipeline_text.replace(options_.pipeline_text.find("[ \"${input}\", "), 14, "[ cover.png, ");
  EXPECT_THAT(Run({Folder() + "/gone"}).stop_reason, HasSubstr("/no/such/model"));
}

}  // namespace
}  // namespace percept::nodes
