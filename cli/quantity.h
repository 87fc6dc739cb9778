// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace percept::cli {

// "20.6 MB", "9.3 GB": powers of 1000, for people.
std::string Bytes(int64_t bytes);
// "480us", "31.2ms", "1.20s", "754s": three digits where that makes sense, for people.
std::string ShortDuration(double seconds);
// With a fixed number of decimals.
std::string Decimal(double value, int decimals);
// "1 node", "2 nodes".
std::string Count(uint64_t num, const std::string& what);

}  // namespace percept::cli
