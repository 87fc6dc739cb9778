// SPDX-License-Identifier: Apache-2.0
// Requests from several threads while another one runs the steps.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "tests/encoders/png.h"
#include "tests/engine/engine_fixture.h"
#include "tests/support/shared_dir.h"
#include "tests/support/worker_executor.h"

namespace percept {
namespace {

// Counts terminal calls, whatever they say.
struct Counter : SequenceListener, PictureListener {
  void OnTokens(std::span<const int32_t>) override {}
  void OnFinish(FinishReason finish, std::string, const SequenceStats&) override { Count(finish); }
  void OnSoftTokens(std::shared_ptr<const SoftTokens>) override { Count(FinishReason::kStop); }
  void OnPictureFailed(FinishReason finish, std::string) override { Count(finish); }

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

}  // namespace
}  // namespace percept
