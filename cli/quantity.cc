// SPDX-License-Identifier: Apache-2.0
#include "cli/quantity.h"

#include <array>
#include <cstdio>

namespace percept::cli {

std::string Decimal(double value, int decimals) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

std::string Bytes(int64_t bytes) {
  constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1000 && unit + 1 < kUnits.size(); ++unit) {
    value /= 1000;
  }
  return Decimal(value, unit == 0 ? 0 : 1) + " " + kUnits[unit];
}

}  // namespace percept::cli
