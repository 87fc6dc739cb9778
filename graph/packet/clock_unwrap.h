// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

namespace percept::graph {

// Makes a counter that wraps at so many bits (33 in MPEG transport streams, 32 in RTP) into one that does not: each
// value is taken as the one nearest to the last. So a wrap goes on counting, and a small step back stays one.
class ClockUnwrap {
 public:
  // Throws std::logic_error: bits outside 2 to 63.
  explicit ClockUnwrap(int bits);

  // Bits of `ticks` above the counter's are ignored. The first value stands for itself.
  int64_t Unwrap(uint64_t ticks);
  // The next value is a first one again: a source that connected anew.
  void Reset() { last_.reset(); }

 private:
  const uint64_t mask_;
  std::optional<int64_t> last_;
};

}  // namespace percept::graph
