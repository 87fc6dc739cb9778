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

std::string ShortDuration(double seconds) {
  constexpr std::array kUnits = {"us", "ms", "s"};
  double value = seconds * 1e6;
  size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  const int decimals = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return Decimal(value, decimals) + kUnits[unit];
}

std::string Count(uint64_t num, const std::string& what) {
  return std::to_string(num) + " " + what + (num == 1 ? "" : "s");
}

}  // namespace percept::cli
