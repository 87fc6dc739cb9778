// SPDX-License-Identifier: Apache-2.0
// A step takes no memory from the heap after the first of its requests. Every operator new of this program that may
// throw is counted while steps run, on all threads, but for calls that return into oneDNN or oneTBB: oneDNN takes a few
// small objects for each product it executes, oneTBB takes its tasks from pools of its own.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "tests/encoders/png.h"
#include "tests/engine/engine_fixture.h"
#include "tests/support/shared_dir.h"

namespace {

std::atomic<bool> counts{false};
std::atomic<int> num_allocations{0};
std::atomic<int> allocations_until_failure{-1};

bool IsOurs(void* return_address) {
  Dl_info caller{};
  if (dladdr(return_address, &caller) == 0 || caller.dli_fname == nullptr) {
    return true;
  }
  return std::strstr(caller.dli_fname, "libdnnl") == nullptr && std::strstr(caller.dli_fname, "libtbb") == nullptr;
}

void* Allocate(std::size_t size, std::size_t alignment, void* return_address) {
  if (counts.load(std::memory_order_relaxed) && IsOurs(return_address)) {
    num_allocations.fetch_add(1, std::memory_order_relaxed);
    if (allocations_until_failure.load() >= 0 && allocations_until_failure.fetch_sub(1) == 0) {
      throw std::bad_alloc();
    }
  }
  const std::size_t rounded = (std::max<std::size_t>(size, 1) + alignment - 1) / alignment * alignment;
  void* bytes = alignment <= alignof(std::max_align_t) ? std::malloc(rounded) : std::aligned_alloc(alignment, rounded);
  if (bytes == nullptr) {
    throw std::bad_alloc();
  }
  return bytes;
}

// Never inlined: the compiler would take the pair with operator new for a mistake.
[[gnu::noinline]] void Release(void* bytes) noexcept { std::free(bytes); }

}  // namespace

void* operator new(std::size_t size) { return Allocate(size, alignof(std::max_align_t), __builtin_return_address(0)); }
void* operator new[](std::size_t size) {
  return Allocate(size, alignof(std::max_align_t), __builtin_return_address(0));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
void operator delete(void* bytes) noexcept { Release(bytes); }
void operator delete[](void* bytes) noexcept { Release(bytes); }
void operator delete(void* bytes, std::size_t) noexcept { Release(bytes); }
void operator delete[](void* bytes, std::size_t) noexcept { Release(bytes); }
void operator delete(void* bytes, std::align_val_t) noexcept { Release(bytes); }
void operator delete[](void* bytes, std::align_val_t) noexcept { Release(bytes); }
void operator delete(void* bytes, std::size_t, std::align_val_t) noexcept { Release(bytes); }
void operator delete[](void* bytes, std::size_t, std::align_val_t) noexcept { Release(bytes); }

namespace percept {
namespace {

// Allocations of `run`.
template <typename Run>
int Count(Run run) {
  num_allocations = 0;
  counts = true;
  run();
  counts = false;
  return num_allocations;
}

struct NoTrace : TraceSink {
  void Record(const TraceEvent&) override {}
};

// Keeps nothing, so that it takes no memory either.
struct CountingSequence : SequenceListener {
  void OnTokens(std::span<const int32_t> ids) override { num_tokens += static_cast<int>(ids.size()); }
  void OnFinish(FinishReason the_finish, std::string reason, const SequenceStats&) override {
    finish = the_finish;
    failure = std::move(reason);
  }
  int num_tokens = 0;
  std::optional<FinishReason> finish;
  std::string failure;
};

class EngineAllocationTest : public testing::TestWithParam<Mode> {
 protected:
  SmallCheckpoint checkpoint_;
  NoTrace trace_;
};

TEST_P(EngineAllocationTest, NoneInAnyStepAfterTheFirst) {
  OpenModel open(checkpoint_.path(), GetParam(), {.trace = &trace_, .prefill_chunk_rows = 32});
  const TestImage png = ReadPng(TestDataDir() / "tiny-samples" / "exit_sign.png");
  const auto picture = std::make_shared<PictureResult>();
  open.engine().SubmitPicture(open.model->PreparePicture(png.view(), 70), picture);
  open.executor.RunAll();  // sizes the scratch of the matrix products

  const auto first = std::make_shared<CountingSequence>();
  const auto second = std::make_shared<CountingSequence>();
  SequenceRequest request = AskAbout(*open.model, {picture->tokens}, "Read all text in the image.");
  request.max_tokens = 40;
  open.engine().SubmitSequence(std::move(request), first);
  open.engine().SubmitSequence(TextRequest({2, 40, 50, 60}, 30), second);
  open.engine().SubmitPicture(open.model->PreparePicture(png.view(), 70), picture);
  open.executor.RunOne();
  open.executor.RunOne();
  EXPECT_EQ(Count([&] { open.executor.RunAll(); }), 0);
  EXPECT_EQ(first->num_tokens, 40);
  EXPECT_EQ(second->num_tokens, 30);
  EXPECT_EQ(picture->num_terminal_calls, 2);
}

TEST_P(EngineAllocationTest, NoMemoryForKeysAndValuesFailsThatSequenceAlone) {
  OpenModel open(checkpoint_.path(), GetParam(), {.trace = &trace_});
  const auto live = std::make_shared<CountingSequence>();
  const auto unlucky = std::make_shared<CountingSequence>();
  open.engine().SubmitSequence(TextRequest({2, 40, 50, 60}, 30), live);
  open.executor.RunOne();
  open.engine().SubmitSequence(TextRequest({2, 40, 50, 60}, 30), unlucky);
  allocations_until_failure = 0;
  EXPECT_GT(Count([&] { open.executor.RunOne(); }), 0);
  allocations_until_failure = -1;
  EXPECT_EQ(unlucky->finish, FinishReason::kFailed);
  EXPECT_EQ(unlucky->failure, "out of memory");
  open.executor.RunAll();
  EXPECT_EQ(live->num_tokens, 30);
}

INSTANTIATE_TEST_SUITE_P(Modes, EngineAllocationTest, testing::Values(Mode::kExact, Mode::kFast),
                         [](const auto& test) { return test.param == Mode::kExact ? "Exact" : "Fast"; });

}  // namespace
}  // namespace percept
