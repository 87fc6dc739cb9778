// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace percept::cli {

// "20.6 MB", "9.3 GB": powers of 1000, for people.
std::string Bytes(int64_t bytes);
// With a fixed number of decimals.
std::string Decimal(double value, int decimals);

}  // namespace percept::cli
