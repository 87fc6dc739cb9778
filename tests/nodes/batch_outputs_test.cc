// SPDX-License-Identifier: Apache-2.0
// Older files in the places of a batch's outputs, which stay until their inputs are done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include "nodes/batch/batch.h"
#include "tests/nodes/batch_fixture.h"

namespace percept::nodes {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;
using testing::UnorderedElementsAre;

std::vector<std::string> Notes(const BatchReport& report) {
  std::vector<std::string> notes;
  for (const OutputNote& note : report.outputs) {
    notes.push_back(note.input + ": " + note.file.string() + ": " + note.what);
  }
  return notes;
}

class BatchOutputsTest : public BatchTest {
 protected:
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "out")) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
  std::string NotReplaced(const std::string& input, const std::string& rows = "") const {
    const std::string out = Folder() + "/out/";
    return input + ": " + out + input + ".txt: not replaced" +
           (rows.empty() ? "" : "; what was written until then is in " + out + rows);
  }
};

TEST_F(BatchOutputsTest, AnOlderOutputStaysWhereItsInputFails) {
  for (const char* name : {"out/a.txt", "out/bad.txt", "out/broken.txt"}) folder_.Write(name, "older\n");
  const BatchReport report = Run({"a", "bad", "broken"});
  EXPECT_EQ(report.num_done, 1U);
  EXPECT_EQ(Output("a.txt"), "a/0\na/1\na/2\n");
  EXPECT_EQ(Output("bad.txt"), "older\n");
  EXPECT_EQ(Output("bad.txt.partial"), "bad/0\nbad/2\n");
  EXPECT_EQ(Output("broken.txt"), "older\n");
  EXPECT_EQ(Output("broken.txt.partial"), "broken/0\n");
  EXPECT_THAT(Notes(report),
              UnorderedElementsAre(NotReplaced("bad", "bad.txt.partial"), NotReplaced("broken", "broken.txt.partial")));
  options_.resume = true;
  EXPECT_THAT(Notes(Run({"a", "bad", "broken"})), IsEmpty());
  EXPECT_EQ(Names().size(), 5U);
}

TEST_F(BatchOutputsTest, NothingIsKeptBesideWhereTheInputGaveNoRows) {
  options_.pipeline_text = R"(percept: 1
params:
  input: { type: path, required: true }
  output: { type: path, required: true }
nodes:
  read: { type: image.file, path: [ "${input}" ] }
  words: { type: source.script, count: 0 }
  out: { type: sink.text, in: words.out, path: "${output}" }
)";
  const std::string gone = Folder() + "/gone";
  folder_.Write("out/gone.txt", "older\n");
  const BatchReport report = Run({gone});
  EXPECT_EQ(report.failed.size(), 1U);
  EXPECT_THAT(Notes(report), ElementsAre(gone + ": " + Folder() + "/out/gone.txt: not replaced"));
  EXPECT_THAT(Names(), ElementsAre("gone.txt"));
  EXPECT_EQ(Output("gone.txt"), "older\n");
  // As a run leaves it that is killed before it is done with that.
  folder_.Write("out/gone.txt.partial", "");
  options_.resume = true;
  EXPECT_THAT(Notes(Run({gone})), IsEmpty());
  EXPECT_THAT(Names(), ElementsAre("gone.txt"));
}

TEST_F(BatchOutputsTest, AFailedInputThatIsDoneAtLastTakesThePlace) {
  folder_.Write("out/bad.txt", "older\n");
  std::filesystem::permissions(folder_.path() / "out/bad.txt", std::filesystem::perms(0640));
  EXPECT_EQ(Run({"bad"}).failed.size(), 1U);
  options_.resume = options_.retry_failed = true;
  EXPECT_EQ(Run({"bad"}).failed.size(), 1U);
  EXPECT_THAT(Names(), UnorderedElementsAre("bad.txt", "bad.txt.partial"));
  is_mended_ = true;
  EXPECT_EQ(Run({"bad"}).num_done, 1U);
  EXPECT_THAT(Names(), ElementsAre("bad.txt"));
  EXPECT_EQ(Output("bad.txt"), "bad/0\nbad/1\nbad/2\n");
  EXPECT_EQ(std::filesystem::status(folder_.path() / "out/bad.txt").permissions(), std::filesystem::perms(0640));
  EXPECT_EQ(Run({"bad"}).num_done_before, 1U);
}

TEST_F(BatchOutputsTest, AnInterruptedInputGoesOnBesideTheOlderOutput) {
  folder_.Write("out/a.txt", "older\n");
  Interrupt();
  EXPECT_EQ(Output("a.txt"), "older\n");
  EXPECT_THAT(Output("a.txt.partial"), StartsWith("a/0\n"));
  options_.resume = true;
  int num_records = 0;
  on_record_ = [&] { ++num_records; };
  const BatchReport report = Run({"a"});
  EXPECT_LE(num_records, 2);
  EXPECT_THAT(Notes(report), IsEmpty());
  EXPECT_THAT(Names(), ElementsAre("a.txt"));
  EXPECT_EQ(Output("a.txt"), "a/0\na/1\na/2\n");
}

// Killed between the last commit and the rename, and between the rename and the note of it in the journal.
TEST_F(BatchOutputsTest, WhatAKilledRunLeftBesideTakesThePlaceLater) {
  for (const bool is_renamed : {false, true}) {
    options_.resume = false;
    EXPECT_EQ(Run({"a"}).num_done, 1U);
    const std::filesystem::path place = folder_.path() / "out/a.txt", rows = folder_.path() / "out/a.txt.partial";
    Database(options_.journal).Run("UPDATE positions SET file = CAST(file || '.partial' AS BLOB)");
    if (!is_renamed) {
      std::filesystem::rename(place, rows);
      folder_.Write("out/a.txt", "older\n");
    }
    options_.resume = true;
    EXPECT_EQ(Run({"a"}).num_done_before, 1U);
    EXPECT_THAT(Names(), ElementsAre("a.txt"));
    EXPECT_EQ(Output("a.txt"), "a/0\na/1\na/2\n");
    std::filesystem::remove(options_.journal);
  }
}

TEST_F(BatchOutputsTest, WhatIsKeptBesideReplacesNothing) {
  folder_.Write("out/bad.txt", "older\n");
  folder_.Write("out/bad.txt.partial", "kept by an earlier run\n");
  folder_.Write("out/bad.txt.partial.3", "older too\n");
  SetOutput("${input.stem}");
  const BatchReport report = Run({"bad.txt.png", "bad.txt.partial.2.png"});
  EXPECT_EQ(Output("bad.txt.partial"), "kept by an earlier run\n");
  EXPECT_EQ(Output("bad.txt.partial.4"), "bad.txt.png/0\nbad.txt.png/2\n");
  EXPECT_EQ(Output("bad.txt.partial.2"), "bad.txt.partial.2.png/0\nbad.txt.partial.2.png/2\n");
}

TEST_F(BatchOutputsTest, RowsOfInputsThatFailedAreMergedFromWhereTheyAre) {
  folder_.Write("out/bad.txt", "older\n");
  options_.merge = folder_.path() / "all.txt";
  EXPECT_EQ(Run({"a", "bad"}).stop_reason, "");
  EXPECT_EQ(ReadText(options_.merge), "a/0\na/1\na/2\nbad/0\nbad/2\n");
}

TEST_F(BatchOutputsTest, WhatIsKeptBesideIsNoInputOfItsFolder) {
  std::filesystem::create_directories(folder_.path() / "in");
  const std::string in = Folder() + "/in", scr = in + "/a.scr";
  folder_.Write("in/a.scr", "words");
  options_.arguments.values["output"] = {"${input.dir}/${input.stem}.txt"};
  EXPECT_EQ(Run({in}).num_done, 1U);
  options_.resume = true;
  folder_.Write("in/a.scr", "other words");
  options_.inputs = {in};
  {
    Batch batch(options_, runtime_);
    on_record_ = [&, num = 0]() mutable {
      if (++num == 3) {
        batch.Cancel();
      }
    };
    batch.Run();
    on_record_ = [] {};
  }
  EXPECT_EQ(ReadText(in + "/a.txt"), scr + "/0\n" + scr + "/1\n" + scr + "/2\n");
  EXPECT_THAT(ReadText(in + "/a.txt.partial"), StartsWith(scr + "/0\n"));
  const BatchReport report = Run({in});
  EXPECT_EQ(report.num_inputs, 1U);
  EXPECT_EQ(report.num_done, 1U);
}

TEST_F(BatchOutputsTest, InputsWithoutRowsLeaveEmptyFiles) {
  options_.pipeline_text = R"(percept: 1
params:
  input: { type: string, required: true }
  output: { type: path, required: true }
nodes:
  words: { type: source.script, count: 0 }
  out: { type: sink.text, in: words.out, path: "${output}" }
)";
  folder_.Write("out/a.txt", "older\n");
  options_.merge = folder_.Write("all.txt", "older\n");
  EXPECT_EQ(Run({"a", "b"}).num_done, 2U);
  EXPECT_THAT(Names(), UnorderedElementsAre("a.txt", "b.txt"));
  EXPECT_EQ(Output("a.txt"), "");
  EXPECT_EQ(ReadText(options_.merge), "");
}

TEST_F(BatchOutputsTest, AMergedFileStaysWhereAllRowsAreMissing) {
  options_.pipeline_text.replace(options_.pipeline_text.find("string"), 6, "path");
  options_.merge = folder_.Write("all.txt", "older\n");
  on_record_ = [] { throw std::runtime_error("no record"); };
  EXPECT_EQ(Run({"a"}).failed.size(), 1U);
  EXPECT_EQ(ReadText(options_.merge), "older\n");
}

TEST_F(BatchOutputsTest, WhatCameAfterTheLastCommitIsCutOffAndNamed) {
  Interrupt();
  folder_.Write("out/a.txt", Output("a.txt") + "mine\n");
  options_.resume = true;
  const BatchReport report = Run({"a"});
  EXPECT_THAT(Notes(report), ElementsAre("a: " + Folder() +
                                         "/out/a.txt: cut off: 5 bytes that came after the last commit, by the run "
                                         "that was interrupted or by others"));
  EXPECT_EQ(Output("a.txt"), "a/0\na/1\na/2\n");
  EXPECT_THAT(Notes(Run({"a"})), IsEmpty());
}

TEST_F(BatchOutputsTest, AnInputWhoseOutputIsGoneIsReadAnew) {
  const std::string a = "a: " + Folder() + "/out/a.txt: ";
  EXPECT_EQ(Run({"a"}).num_done, 1U);
  options_.resume = true;
  std::filesystem::remove(folder_.path() / "out/a.txt");
  BatchReport report = Run({"a"});
  EXPECT_THAT(Notes(report), ElementsAre(a + "is gone: the input is read anew"));
  EXPECT_EQ(report.num_done, 1U);
  EXPECT_EQ(report.num_done_before, 0U);
  EXPECT_EQ(Output("a.txt"), "a/0\na/1\na/2\n");
  folder_.Write("out/a.txt", "");
  EXPECT_THAT(Notes(Run({"a"})), ElementsAre(a + "was emptied: the input is read anew"));
  EXPECT_EQ(Output("a.txt"), "a/0\na/1\na/2\n");
  folder_.Write("out/a.txt", "a/0\na/1\na/2\nmine\n");
  report = Run({"a"});
  EXPECT_THAT(Notes(report), ElementsAre(a + "is not what this batch wrote there, and is kept"));
  EXPECT_EQ(report.num_done_before, 1U);
  EXPECT_EQ(Output("a.txt"), "a/0\na/1\na/2\nmine\n");
}

TEST_F(BatchOutputsTest, AnOutputThatIsGoneIsNotWrittenAnewWithoutItsInput) {
  options_.pipeline_text.replace(options_.pipeline_text.find("string"), 6, "path");
  const std::string a = folder_.Write("a", "words").string();
  EXPECT_EQ(Run({a}).num_done, 1U);
  options_.resume = true;
  std::filesystem::remove(a);
  std::filesystem::remove(folder_.path() / "out/a.txt");
  const BatchReport report = Run({a});
  EXPECT_THAT(Notes(report),
              ElementsAre(a + ": " + Folder() + "/out/a.txt: is gone, and the input cannot be read anew"));
  EXPECT_EQ(report.num_done_before, 1U);
  EXPECT_THAT(Names(), IsEmpty());
}

}  // namespace
}  // namespace percept::nodes
