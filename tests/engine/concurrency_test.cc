// SPDX-License-Identifier: Apache-2.0
// Requests from several threads while another one runs the steps.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/loaded_weights.h"
#include "tests/encoders/png.h"
#include "tests/engine/engine_fixture.h"
#include "tests/support/random_matrix.h"
#include "tests/support/shared_dir.h"
#include "tests/support/worker_executor.h"

namespace percept {
namespace {

// Counts terminal calls, whatever they say.
struct Counter : SequenceListener, MediumListener {
  void OnTokens(std::span<const int32_t>) override {}
  void OnFinish(FinishReason finish, std::string, const SequenceStats&) override { Count(finish); }
  void OnSoftTokens(std::shared_ptr<const SoftTokens>) override { Count(FinishReason::kStop); }
  void OnMediumFailed(FinishReason finish, std::string) override { Count(finish); }

  void Count(FinishReason finish) {
    num_failed += finish == FinishReason::kFailed ? 1 : 0;
    ++num_terminal_calls;
  }
  std::atomic<int> num_terminal_calls = 0;
  std::atomic<int> num_failed = 0;
};

TEST(EngineConcurrencyTest, EveryRequestOfEveryThreadEndsOnce) {
  constexpr int kThreads = 3;
  constexpr int kRounds = 12;
  const SmallCheckpoint checkpoint;
  const auto counter = std::make_shared<Counter>();
  {
    WorkerExecutor executor;
    const auto model = Model::Open(
        checkpoint.path(),
        {.mode = Mode::kExact, .max_isa = TestMaxIsa(), .engine = {.executor = &executor, .max_sequences = 4}});
    const TestImage png = ReadPng(TestDataDir() / "tiny-samples" / "exit_sign.png");
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int round = 0; round < kRounds; ++round) {
          const RequestId sequence =
              model->engine().SubmitSequence(TextRequest({2, 40 + thread, 50 + round}, 4 + round), counter);
          const RequestId picture = model->engine().SubmitPicture(model->PreparePicture(png.view(), 70), counter);
          if (round % 3 == 1) {
            model->engine().Cancel(sequence);
          }
          if (round % 3 == 2) {
            model->engine().Cancel(picture);
          }
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }  // the model goes first, with requests still at work
  EXPECT_EQ(counter->num_terminal_calls, 2 * kThreads * kRounds);
  EXPECT_EQ(counter->num_failed, 0);
}

TEST(EngineConcurrencyTest, EveryClipOfEveryThreadEndsOnce) {
  constexpr int kThreads = 3;
  constexpr int kRounds = 8;
  const auto counter = std::make_shared<Counter>();
  {
    WorkerExecutor executor;
    const auto model = Model::Open(
        EmbeddedModelDir(),
        {.mode = Mode::kExact, .max_isa = TestMaxIsa(), .engine = {.executor = &executor, .max_sound_tokens = 40}});
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int round = 0; round < kRounds; ++round) {
          const RequestId clip = model->engine().SubmitSound(
              std::vector<float>(static_cast<size_t>(3000 + 2000 * thread + round), 0.25F), counter);
          model->engine().SubmitSequence(TextRequest({2, 40 + thread, 50 + round}, 4 + round), counter);
          if (round % 2 == 1) {
            model->engine().Cancel(clip);
          }
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }  // the model goes first, with clips still at work
  EXPECT_EQ(counter->num_terminal_calls, 2 * kThreads * kRounds);
  EXPECT_EQ(counter->num_failed, 0);
}

// The first clip packs the weights; here two towers' users come first at once.
TEST(EngineConcurrencyTest, EnginesThatShareATowerPackItOnce) {
  WorkerExecutor executors[2];
  const auto model = Model::Open(
      EmbeddedModelDir(), {.mode = Mode::kExact, .max_isa = TestMaxIsa(), .engine = {.executor = &executors[0]}});
  const LoadedWeights& weights = model->weights();
  Engine second({.decoder = &*weights.decoder, .audio = &*weights.audio}, {.executor = &executors[1]});
  std::promise<std::vector<float>> rows[2];
  struct Listener : MediumListener {
    void OnSoftTokens(std::shared_ptr<const SoftTokens> tokens) override {
      rows->set_value(Values(tokens->rows.view()));
    }
    void OnMediumFailed(FinishReason, std::string) override { rows->set_value({}); }
    std::promise<std::vector<float>>* rows = nullptr;
  };
  Engine* const engines[] = {&model->engine(), &second};
  for (size_t i = 0; i < 2; ++i) {
    const auto listener = std::make_shared<Listener>();
    listener->rows = &rows[i];
    engines[i]->SubmitSound(std::vector<float>(9000, 0.25F), listener);
  }
  const std::vector<float> first = rows[0].get_future().get();
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(rows[1].get_future().get(), first);
}

}  // namespace
}  // namespace percept
