// SPDX-License-Identifier: Apache-2.0
// A batch of inputs: what is done, what is refused, what is left for a resume; of files as inputs and of what stands in
// the place of outputs in batch_files_test.cc. Its sources are scripted; pictures are
// read, and the program is killed, in tests/cli/batch_test.cc.
#include "nodes/batch/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/nodes/batch_fixture.h"

namespace percept::nodes {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(BatchTest, RunsOneGraphPerInput) {
  const BatchReport report = Run({"a", "b", "c"});
  EXPECT_EQ(report.num_inputs, 3U);
  EXPECT_EQ(report.num_done, 3U);
  EXPECT_EQ(report.num_left, 0U);
  EXPECT_THAT(report.failed, IsEmpty());
  EXPECT_EQ(Output("b.txt"), "b/0\nb/1\nb/2\n");
}

TEST_F(BatchTest, TheGraphOfAnInputIsMadeOnceToPlanAndOnceToRun) {
  const TempFolder inputs;
  for (const char* name : {"a", "b", "c"}) inputs.Write(name, "words");
  SetOutput("unused");
  options_.arguments.values["output"] = {"-"};
  options_.merge = folder_.path() / "all.txt";
  EXPECT_EQ(Run({inputs.path().string()}).num_done, 3U);
  EXPECT_EQ(num_checks_, 2 * 3 + 1);  // and the first one's, to look at the pipeline
}

TEST_F(BatchTest, TellsOfFailuresAsTheyHappen) {
  std::vector<std::string> told;
  options_.errors = [&](const std::string& input, const graph::ErrorPayload& error) {
    told.push_back(input + ": " + error.reason);
  };
  std::vector<std::pair<size_t, size_t>> counts;
  options_.on_through = [&](size_t num_through, size_t num_failed) { counts.emplace_back(num_through, num_failed); };
  options_.num_jobs = 1;
  Run({"a", "bad"});
  EXPECT_THAT(told, ElementsAre("bad: bad record"));
  EXPECT_THAT(counts, ElementsAre(testing::Pair(1, 0), testing::Pair(2, 1)));
}

TEST_F(BatchTest, AnInputThatFailsGoesIntoQuarantineAndTheRestGoesOn) {
  const std::string broken = "records.yaml:6:3: node 'read' (test.records) failed: broken record";
  BatchReport report = Run({"a", "bad", "broken", "c"});
  EXPECT_EQ(report.num_done, 2U);
  EXPECT_EQ(Failures(report), "bad: bad/1: bad record\nbroken: broken: " + broken + "\n");
  EXPECT_EQ(Output("bad.txt"), "bad/0\nbad/2\n");
  EXPECT_EQ(Output("broken.txt"), "broken/0\n");
  EXPECT_EQ(Output("c.txt"), "c/0\nc/1\nc/2\n");
  EXPECT_EQ(report.stop_reason, "");
  int num_records = 0;
  on_record_ = [&] { ++num_records; };
  options_.resume = true;
  report = Run({"a", "bad", "broken", "c"});
  EXPECT_EQ(num_records, 0);
  EXPECT_EQ(report.num_done_before, 2U);
  EXPECT_EQ(report.failed.size(), 2U);
  options_.retry_failed = true;
  options_.num_jobs = 1;
  EXPECT_EQ(Failures(Run({"a", "bad", "broken", "c"})), "bad: bad/1: bad record\nbroken: broken: " + broken + "\n");
  EXPECT_EQ(num_records, 5);
  EXPECT_EQ(Output("bad.txt"), "bad/0\nbad/2\n");
}

TEST_F(BatchTest, GoesOnWhereItWasInterrupted) {
  options_.num_jobs = 1;
  options_.inputs = {"a", "b", "c"};
  int num_records = 0;
  {
    Batch batch(options_, runtime_);
    on_record_ = [&] {
      if (++num_records == 5) {
        batch.Cancel();
      }
    };
    const BatchReport report = batch.Run();
    EXPECT_EQ(report.num_done, 1U);
    EXPECT_EQ(report.num_left, 2U);
  }
  EXPECT_EQ(Refusal({"a", "b", "c"}),
            Folder() +
                "/journal: holds what an earlier run did (1 done, 0 failed, 1 begun): add --resume to go on from "
                "there, name another with --journal, or remove it to start anew");
  on_record_ = [&] { ++num_records; };
  options_.resume = true;
  const BatchReport report = Run({"a", "b", "c", "d"});
  EXPECT_EQ(report.num_done, 4U);
  EXPECT_EQ(report.num_done_before, 1U);
  EXPECT_LE(num_records, 5 + 3 + 3 + 3);
  for (const std::string name : {"a", "b", "c", "d"}) {
    std::string expected;
    for (const char* line : {"/0\n", "/1\n", "/2\n"}) expected.append(name).append(line);
    EXPECT_EQ(Output(name + ".txt"), expected);
  }
}

TEST_F(BatchTest, StopLetsWhatIsUnderWayFinish) {
  options_.num_jobs = 1;
  options_.inputs = {"a", "b", "c"};
  Batch batch(options_, runtime_);
  on_record_ = [&] { batch.Stop(); };
  const BatchReport report = batch.Run();
  EXPECT_EQ(report.num_done, 1U);
  EXPECT_EQ(report.num_left, 2U);
  EXPECT_EQ(Output("a.txt"), "a/0\na/1\na/2\n");
}

TEST_F(BatchTest, MergesRowsInTheOrderOfTheInputs) {
  options_.arguments.values.clear();
  options_.merge = folder_.path() / "all.txt";
  options_.num_jobs = 3;
  Run({"b", "bad", "a"});
  EXPECT_EQ(ReadText(options_.merge), "b/0\nb/1\nb/2\nbad/0\nbad/2\na/0\na/1\na/2\n");
  options_.resume = true;
  Run({"b", "c", "a"});
  EXPECT_EQ(ReadText(options_.merge), "b/0\nb/1\nb/2\nc/0\nc/1\nc/2\na/0\na/1\na/2\n");
}

TEST_F(BatchTest, MergesOneSinkOfSeveral) {
  options_.pipeline_text += "  lines: { type: sink.jsonl, in: read.record }\n";
  options_.merge = folder_.path() / "all.txt";
  EXPECT_EQ(Refusal({"a"}), "--merge: the pipeline has several sinks (out, lines): name one with --merge-node");
  options_.merge_node = "line";
  EXPECT_EQ(Refusal({"a"}), "--merge-node line: no such sink of rows; nearest: lines");
  options_.merge_node = "out";
  Run({"a"});
  EXPECT_EQ(ReadText(options_.merge), "a/0\na/1\na/2\n");
}

TEST_F(BatchTest, RefusesOutputsThatAreInEachOthersWay) {
  const std::string out = std::filesystem::canonical(folder_.path()).string() + "/out/";
  const auto both = [&](const std::string& one, const std::string& other, const std::string& file) {
    return "the inputs " + one + " and " + other + " would both write " + out + file + ": ";
  };
  EXPECT_EQ(Refusal({"x/a", "y/a"}),
            both("x/a", "y/a", "a.txt") + "they differ in ${input.dir}, name it after that too");
  EXPECT_EQ(Refusal({"x/a.png", "x/a.jpg"}), both("x/a.png", "x/a.jpg", "a.txt") +
                                                 "they differ in neither ${input.stem} nor ${input.dir}, name it after "
                                                 "${input}, as in '${input}.txt'");
  SetOutput("all.txt");
  EXPECT_EQ(Refusal({"x/a", "y/b"}), both("x/a", "y/b", "all.txt") + "name it after ${input.stem}");
  const std::string input = folder_.Write("a.txt", "words").string();
  options_.arguments.values["output"] = {"${input.dir}/a.txt"};
  EXPECT_EQ(Refusal({input}), WouldWriteInput(input, input, input));
  SetOutput("../journal");
  EXPECT_EQ(Refusal({"a"}), "the input a would write " + Folder() + "/journal, which is the journal");
  options_.arguments.values.clear();
  EXPECT_THAT(Refusal({"a"}), HasSubstr("'out' writes standard output, where several inputs would mix: give each its "
                                        "file, as in --set output='${input.stem}.txt'"));
  EXPECT_FALSE(std::filesystem::exists(options_.journal));
}

// By what a file is, under whatever name.
TEST_F(BatchTest, RefusesToWriteOverWhatItReadsOrWritesElsewhere) {
  const std::string input = folder_.Write("a", "words").string(), list = folder_.Write("list", input).string();
  const std::string hard = Folder() + "/hard", soft = Folder() + "/soft";
  std::filesystem::create_hard_link(input, hard);
  std::filesystem::create_symlink(list, soft);
  options_.pipeline_name = folder_.Write("p.yaml", kPipeline).string();
  options_.list = list;
  const BatchOptions options = options_;
  const auto refusal = [&](std::filesystem::path BatchOptions::*file, const std::string& name) {
    options_ = options;
    options_.*file = name;
    return Refusal({input});
  };
  EXPECT_EQ(refusal(&BatchOptions::merge, input), "--merge " + input + " is the input " + input);
  EXPECT_EQ(refusal(&BatchOptions::merge, hard), "--merge " + hard + " is the input " + input);
  EXPECT_EQ(refusal(&BatchOptions::merge, Folder() + "/./p.yaml"), "--merge " + Folder() + "/./p.yaml is the pipeline");
  EXPECT_EQ(refusal(&BatchOptions::failed_list, soft), "--failed " + soft + " is the list of inputs");
  EXPECT_EQ(refusal(&BatchOptions::failed_list, options.journal.string()),
            "--failed " + options.journal.string() + " is the journal");
  EXPECT_EQ(refusal(&BatchOptions::journal, input), "--journal " + input + " is the input " + input);
  options_ = options;
  SetOutput("../hard");
  EXPECT_EQ(Refusal({input}), WouldWriteInput(input, hard, input));
  options_.merge = folder_.path() / "all";
  SetOutput("../all");
  EXPECT_EQ(Refusal({input}), "the input " + input + " would write " + Folder() + "/all, which is the merged file");
  EXPECT_EQ(ReadText(input), "words");
  EXPECT_FALSE(std::filesystem::exists(options_.journal));
}

TEST_F(BatchTest, WhatNodesReadIsNotWritten) {
  const std::string picture = folder_.Write("mask.png", "x").string();
  options_.pipeline_text += "  mask: { type: image.file, path: " + picture + " }\n";
  SetOutput("../mask.png");
  EXPECT_EQ(Refusal({"a"}), "the input a would write " + picture + ", which is what 'mask' reads");
}

TEST_F(BatchTest, OneInputGivesTwoSinksTwoFiles) {
  options_.pipeline_text += "  lines: { type: sink.jsonl, in: read.record, path: \"${output}\" }\n";
  SetOutput("${input.stem}.txt");
  EXPECT_EQ(Refusal({"a"}),
            "for the input a, 'lines' would write " + Folder() + "/out/a.txt, which is what 'out' writes");
}

TEST_F(BatchTest, TwoNamesOfOneFileAreNotTwoOutputs) {
  SetOutput("${input.stem}");
  folder_.Write("out/a", "old");
  std::filesystem::create_hard_link(folder_.path() / "out/a", folder_.path() / "out/b");
  EXPECT_THAT(Refusal({"a", "b"}), HasSubstr("the inputs a and b would both write one file, whose names are " +
                                             Folder() + "/out/a and " + Folder() + "/out/b"));
}

TEST_F(BatchTest, NamesOutputsAfterWholeInputs) {
  options_.pipeline_text.replace(options_.pipeline_text.find("string"), 6, "\"path[]\"");
  options_.pipeline_text.replace(options_.pipeline_text.find("input: \"${input}\""), 17, "input: \"${input.dir}\"");
  const std::string a = folder_.Write("a.png", "words").string(), b = folder_.Write("a.jpg${input}", "words").string();
  options_.arguments.values["output"] = {"${input}.$${input}txt"};
  EXPECT_EQ(Run({a, b}).num_done, 2U);
  const std::string rows = Folder() + "/0\n" + Folder() + "/1\n" + Folder() + "/2\n";
  EXPECT_EQ(ReadText(a + ".${input}txt"), rows);
  EXPECT_EQ(ReadText(b + ".${input}txt"), rows);
}

TEST_F(BatchTest, NamesOutputsAfterPages) {
  SetOutput("${input.stem}-${input.page}.txt");
  Run({"a"});
  EXPECT_EQ(Output("a-1.txt"), "a/0\na/1\na/2\n");
}

TEST_F(BatchTest, RefusesInputsItCannotTellApart) {
  EXPECT_EQ(Refusal({"a", "b", "a"}), "the input a is given twice");
  folder_.Write("one", "words");
  const std::string one = Folder() + "/one", same = Folder() + "/./one";
  EXPECT_EQ(Refusal({one, same}), "the inputs " + one + " and " + same + " are the same file, given twice");
  EXPECT_EQ(Refusal({"-"}), "standard input cannot be an input of a batch: it cannot be read again");
  EXPECT_EQ(Refusal({}), "no inputs");
  options_.arguments.values["input"] = {"b"};
  EXPECT_EQ(Refusal({"a"}), "a batch gives the parameter 'input' its values itself");
}

TEST_F(BatchTest, RefusesALiveSource) {
  graph::Contract live{.type = "test.live",
                       .doc = "Never ends.",
                       .example = "cam: { type: test.live }",
                       .outputs = {{.name = "record", .type = "Record", .doc = "none"}},
                       .source = graph::SourceKind::kLive};
  runtime_.registry().Register(std::move(live), [](const graph::ParamValues&, const graph::Services&) {
    return std::unique_ptr<graph::Node>();
  });
  options_.pipeline_text += "  cam: { type: test.live }\n";
  EXPECT_EQ(Refusal({"a"}), "records.yaml:8:3: node 'cam' (test.live) is a live source: a batch is of inputs that end");
}

TEST_F(BatchTest, AModelThatCannotBeOpenedIsRefusedBeforeAnyInput) {
  options_.pipeline_text +=
      "  look: { type: image.file, path: \"${input}\" }\n"
      "  see: { type: encode.vision, in: look.image, model: /no/such/model }\n";
  EXPECT_THAT(Refusal({"a"}), HasSubstr("records.yaml:9:3: node 'see' (encode.vision) cannot be made: /no/such/model"));
}

}  // namespace
}  // namespace percept::nodes
