// SPDX-License-Identifier: Apache-2.0
#include "graph/packet/clock_unwrap.h"

#include <stdexcept>
#include <string>

namespace percept::graph {
namespace {

uint64_t MaskOf(int bits) {
  if (bits < 2 || bits > 63) throw std::logic_error("a clock of " + std::to_string(bits) + " bits");
  return (uint64_t{1} << bits) - 1;
}

}  // namespace

ClockUnwrap::ClockUnwrap(int bits) : mask_(MaskOf(bits)) {}

int64_t ClockUnwrap::Unwrap(uint64_t ticks) {
  ticks &= mask_;
  if (!last_) {
    last_ = static_cast<int64_t>(ticks);
    return *last_;
  }
  const uint64_t forward = (ticks - static_cast<uint64_t>(*last_)) & mask_;
  const bool is_back = forward > mask_ / 2;
  const auto step = is_back ? -static_cast<int64_t>(mask_ - forward + 1) : static_cast<int64_t>(forward);
  last_ = *last_ + step;
  return *last_;
}

}  // namespace percept::graph
