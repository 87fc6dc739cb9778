// SPDX-License-Identifier: Apache-2.0
#include "graph/node/quantity.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <span>
#include <stdexcept>

namespace percept::graph {
namespace {

struct Unit {
  const char* name;
  double size;
};

constexpr Unit kTimeUnits[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}, {"h", 3600e9}};
constexpr Unit kByteUnits[] = {{"", 1},         {"B", 1},    {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30},
                               {"TiB", 0x1p40}, {"kB", 1e3}, {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12}};

// In the smallest unit, rounded. A number is read to its end even where it is too large, so `rest` is its unit.
std::optional<int64_t> Read(const std::string& text, std::span<const Unit> units) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error == std::errc::invalid_argument) return std::nullopt;
  const std::string unit_name(rest, end);
  for (const Unit& unit : units) {
    if (unit_name != unit.name) continue;
    const double scaled = std::round(number * unit.size);
    if (std::isnan(scaled)) return std::nullopt;
    if (error != std::errc() || std::abs(scaled) >= 0x1p63) throw std::out_of_range(text);
    return static_cast<int64_t>(scaled);
  }
  return std::nullopt;
}

// At most three decimals, none that say nothing.
std::string Shortest(double number) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.3f", number);
  std::string shortest = text;
  shortest.erase(shortest.find_last_not_of('0') + 1);
  if (shortest.back() == '.') shortest.pop_back();
  return shortest;
}

}  // namespace

std::optional<Duration> ReadDuration(const std::string& text) {
  if (text == "0") return Duration();
  const std::optional<int64_t> ns = Read(text, kTimeUnits);
  if (!ns) return std::nullopt;
  return Duration::Nanoseconds(*ns);
}

std::optional<int64_t> ReadBytes(const std::string& text) { return Read(text, kByteUnits); }

std::string DurationText(Duration duration) {
  const double ns = static_cast<double>(duration.nanoseconds());
  if (ns == 0 || std::abs(ns) >= 1e9) return Shortest(ns / 1e9) + "s";
  if (std::abs(ns) >= 1e6) return Shortest(ns / 1e6) + "ms";
  if (std::abs(ns) >= 1e3) return Shortest(ns / 1e3) + "us";
  return Shortest(ns) + "ns";
}

std::string BytesText(int64_t bytes) {
  constexpr const char* kNames[] = {"KiB", "MiB", "GiB", "TiB"};
  std::string text = std::to_string(bytes) + " bytes";
  for (const char* name : kNames) {
    if (bytes == 0 || bytes % 1024 != 0) break;
    bytes /= 1024;
    text = std::to_string(bytes) + name;
  }
  return text;
}

}  // namespace percept::graph
