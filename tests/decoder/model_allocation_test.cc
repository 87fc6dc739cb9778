// SPDX-License-Identifier: Apache-2.0
// A forward pass takes no memory from the heap after the first. Every operator new of this program is counted while a
// pass runs, on all threads, but for calls whose return address lies in oneDNN or oneTBB (their execution arguments and
// tasks). What those take by malloc is not seen either.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include "tests/decoder/model_fixture.h"
#include "tests/support/shared_dir.h"
#include "tests/support/test_context.h"

namespace {

std::atomic<bool> counts{false};
std::atomic<int> num_allocations{0};

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
  }
  const std::size_t rounded = (std::max<std::size_t>(size, 1) + alignment - 1) / alignment * alignment;
  void* bytes = alignment <= alignof(std::max_align_t) ? std::malloc(rounded) : std::aligned_alloc(alignment, rounded);
  if (bytes == nullptr) {
    throw std::bad_alloc();
  }
  return bytes;
}

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
void operator delete(void* bytes) noexcept { std::free(bytes); }
void operator delete[](void* bytes) noexcept { std::free(bytes); }
void operator delete(void* bytes, std::size_t) noexcept { std::free(bytes); }
void operator delete[](void* bytes, std::size_t) noexcept { std::free(bytes); }
void operator delete(void* bytes, std::align_val_t) noexcept { std::free(bytes); }
void operator delete[](void* bytes, std::align_val_t) noexcept { std::free(bytes); }
void operator delete(void* bytes, std::size_t, std::align_val_t) noexcept { std::free(bytes); }
void operator delete[](void* bytes, std::size_t, std::align_val_t) noexcept { std::free(bytes); }

namespace percept {
namespace {

class ModelAllocationTest : public testing::TestWithParam<Mode> {};

TEST_P(ModelAllocationTest, NoneAfterTheFirstPass) {
  const std::filesystem::path folder = TestDataDir() / "e2b";
  const OpenDecoder open(folder, TestContext(GetParam()));
  const GoldenFile golden(folder / "golden.safetensors");
  const PromptRows prompt(golden, "image70", open.config.hidden_size);
  StepRunner runner(*open.decoder, /*threads=*/2);
  const std::unique_ptr<KvCache> decoding = runner.NewSequence();
  runner.Prefill(*decoding, prompt, 0, prompt.num_rows(), 1);

  // chunks of several widths beside a decode row, twice: the first time warms up, the second is counted
  for (const bool is_counted : {false, true}) {
    const std::unique_ptr<KvCache> cache = runner.NewSequence();
    int64_t begin = 0;
    for (const int64_t rows : {1, 3, 60, 87}) {
      const std::vector<SoftRows> soft = prompt.SoftIn(begin, begin + rows);
      const Segment segments[] = {
          {cache.get(), std::span(prompt.ids).subspan(static_cast<size_t>(begin), static_cast<size_t>(rows)), soft, 1},
          {decoding.get(), std::span(prompt.ids).first(1), {}, 1}};
      num_allocations = 0;
      runner.Step(segments, nullptr, [&](bool runs) { counts = runs && is_counted; });
      EXPECT_EQ(num_allocations, 0) << rows << " rows";
      begin += rows;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, ModelAllocationTest, testing::Values(Mode::kExact, Mode::kFast),
                         [](const auto& test) { return test.param == Mode::kExact ? "exact" : "fast"; });

}  // namespace
}  // namespace percept
