// SPDX-License-Identifier: Apache-2.0
#include "nodes/runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <future>
#include <string>
#include <thread>

#include "kernels/core/error.h"
#include "tests/nodes/node_run.h"

namespace percept::nodes {
namespace {

TEST(Runtime, OpensAModelOnce) {
  Runtime runtime(TestOptions());
  Model& by_default = runtime.OpenModel("");
  EXPECT_EQ(&by_default, &runtime.OpenModel(EmbeddedModel().string()));
  EXPECT_EQ(&by_default, &runtime.OpenModel((EmbeddedModel() / ".." / "percept-tiny").string()));
  EXPECT_EQ(by_default.card().name, "percept-tiny");
}

TEST(Runtime, RefusesToGuessAModel) {
  RuntimeOptions options = TestOptions();
  options.default_model.clear();
  Runtime runtime(std::move(options));
  try {
    runtime.OpenModel("");
    FAIL() << "opened";
  } catch (const ArgumentError& error) {
    EXPECT_STREQ(error.what(), "no model is given and this program has no default one");
  }
}

TEST(Runtime, AModelThatCannotBeOpenedCanBeTriedAgain) {
  Runtime runtime(TestOptions());
  EXPECT_THROW(runtime.OpenModel("/no/such/model"), CheckpointError);
  EXPECT_THROW(runtime.OpenModel("/no/such/model"), CheckpointError);
}

TEST(Runtime, WorkersKeepOpenMpToOneThread) {
  Runtime runtime(TestOptions());
  struct Look : graph::Task {
    void Run() noexcept override { num_threads.set_value(omp_get_max_threads()); }
    std::promise<int> num_threads;
  } look;
  runtime.executor().Enqueue(look);
  EXPECT_EQ(look.num_threads.get_future().get(), 1);
}

TEST(Runtime, TwoWorkSideBySide) {
  const std::string nodes = "  read: { type: image.file, path: " + (TestDataDir() / "bad_media/plain.png").string() +
                            " }\n  see: { type: encode.vision, in: read.image }\n"
                            "  say: { type: decode.gemma4, in: see.tokens, prompt: Read all text in the image. }\n"
                            "  out: { type: sink.text, in: say.record }\n";
  const auto read = [&](Mode mode, TextKeeper* output) {
    RuntimeOptions options = TestOptions();
    options.mode = mode;
    options.standard_output = output;
    Runtime runtime(std::move(options));
    RunNodes(nodes, runtime);
  };
  TextKeeper fast, exact;
  std::jthread other([&] { read(Mode::kExact, &exact); });
  read(Mode::kFast, &fast);
  other.join();
  EXPECT_EQ(fast.text(), "Invoice 204\n");
  EXPECT_EQ(exact.text(), "Invoice 204\n");
}

TEST(Runtime, KnowsTheNodesOfTheProject) {
  const Runtime runtime(TestOptions());
  EXPECT_THAT(runtime.registry().Types(),
              testing::IsSupersetOf({"image.file", "encode.vision", "decode.gemma4", "sink.text", "sink.jsonl"}));
}

TEST(Runtime, ItsNodesDeclareTheRangesOfTheirNumbers) {
  const Runtime runtime(TestOptions());
  const graph::ParamDecl* max_tokens = runtime.registry().Find("decode.gemma4")->contract.FindParam("max_tokens");
  ASSERT_NE(max_tokens, nullptr);
  EXPECT_EQ(max_tokens->min, 1);
  const graph::ParamDecl* budget = runtime.registry().Find("encode.vision")->contract.FindParam("budget");
  ASSERT_NE(budget, nullptr);
  EXPECT_EQ(budget->min, 0);
  EXPECT_EQ(budget->max, 1120);
  EXPECT_EQ(Refusal("  read: { type: image.file, path: a.png, in_flight: 0 }\n", runtime),
            "test.yaml:3:53: 'in_flight' is 0, outside its range: 1 or more");
}

}  // namespace
}  // namespace percept::nodes
