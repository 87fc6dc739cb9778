// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "kernels/cpu/context.h"
#include "tests/support/shared_dir.h"

namespace percept {

// A variant of the goldens, by name, on an instruction set.
class VariantOnIsa : public testing::TestWithParam<std::tuple<const char*, Isa>> {
 protected:
  void SetUp() override { PERCEPT_NEED_SHARED(); }

  static std::string variant() { return std::get<0>(GetParam()); }
  static KernelContext context(Mode mode) { return {.isa = std::get<1>(GetParam()), .mode = mode}; }
};

}  // namespace percept
