// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/core/error.h"
#include "kernels/cpu/context.h"

namespace percept {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(IsaTest, NamesAreReadBack) {
  for (const Isa isa : kAllIsas) {
    EXPECT_EQ(ParseIsa(IsaName(isa)), isa);
  }
  EXPECT_EQ(IsaName(Isa::kAvx2), "avx2");
}

TEST(IsaTest, AnUnknownNameListsTheValidOnes) {
  EXPECT_THAT([] { ParseIsa("sse2"); },
              ThrowsMessage<ArgumentError>(HasSubstr("unknown instruction set 'sse2': expected one of portable, avx2, "
                                                     "avx512, avx512-vnni, avx512-bf16, amx-bf16")));
}

TEST(KernelContextTest, IsCappedAndNeverAboveTheMachine) {
  for (const Isa cap : kAllIsas) {
    const KernelContext context = MakeKernelContext(Mode::kExact, cap);
    EXPECT_EQ(context.isa, std::min(cap, DetectIsa()));
    EXPECT_EQ(context.mode, Mode::kExact);
  }
}

TEST(KernelContextTest, BF16IsNativeFromItsInstructionsOn) {
  EXPECT_FALSE((KernelContext{Isa::kAvx512, Mode::kFast}.native_bf16()));
  EXPECT_TRUE((KernelContext{Isa::kAvx512Bf16, Mode::kFast}.native_bf16()));
}

}  // namespace
}  // namespace percept
