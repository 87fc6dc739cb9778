// SPDX-License-Identifier: Apache-2.0
// A forward pass takes no memory from the heap after the first.
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "tests/decoder/model_fixture.h"
#include "tests/support/counting_new.h"
#include "tests/support/shared_dir.h"
#include "tests/support/test_context.h"

namespace percept {
namespace {

// The variant (the tests' own e2b where empty) and the mode.
class ModelAllocationTest : public testing::TestWithParam<std::tuple<std::string, Mode>> {};

TEST_P(ModelAllocationTest, NoneAfterTheFirstPass) {
  const auto& [variant, mode] = GetParam();
  if (!variant.empty()) {
    PERCEPT_NEED_SHARED();
  }
  const std::filesystem::path folder =
      variant.empty() ? TestDataDir() / "e2b" : SharedDir() / "goldens" / "variants" / variant;
  const OpenDecoder open(folder, TestContext(mode));
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

INSTANTIATE_TEST_SUITE_P(Modes, ModelAllocationTest,
                         testing::Combine(testing::Values("", "26b"), testing::Values(Mode::kExact, Mode::kFast)),
                         [](const auto& test) {
                           return "variant" + std::get<0>(test.param) +
                                  (std::get<1>(test.param) == Mode::kExact ? "_exact" : "_fast");
                         });

}  // namespace
}  // namespace percept
