// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <string>

namespace percept::graph {

// A span of media time, in nanoseconds inside. Additions that leave 64 bits throw std::out_of_range.
class Duration {
 public:
  constexpr Duration() = default;
  static constexpr Duration Nanoseconds(int64_t ns) { return Duration(ns); }
  static Duration Microseconds(int64_t us);
  static Duration Milliseconds(int64_t ms);
  static Duration Seconds(double seconds);

  constexpr int64_t nanoseconds() const { return ns_; }
  constexpr double seconds() const { return static_cast<double>(ns_) / 1e9; }

  Duration operator+(Duration other) const;
  Duration operator-(Duration other) const;
  constexpr auto operator<=>(const Duration&) const = default;

 private:
  constexpr explicit Duration(int64_t ns) : ns_(ns) {}
  int64_t ns_ = 0;
};

// A point of media time on the run's timeline, in nanoseconds inside. Three specials stand outside the ordinary range:
// Unset() (no time given), Min() (before every packet) and Max() (after every packet: the bound of an ended stream).
// They compare (Unset < Min < every ordinary time < Max) but take no part in arithmetic: that throws std::logic_error;
// arithmetic that leaves the ordinary range throws std::out_of_range.
class Time {
 public:
  constexpr Time() = default;
  static Time Nanoseconds(int64_t ns) {
    const Time time(ns);
    if (time.is_special()) ThrowOutOfRange();
    return time;
  }
  static Time Microseconds(int64_t us);
  static Time Milliseconds(int64_t ms);
  static Time Seconds(double seconds);
  static constexpr Time Unset() { return Time(); }
  static constexpr Time Min() { return Time(kMin); }
  static constexpr Time Max() { return Time(kMax); }

  constexpr bool is_special() const { return ns_ <= kMin || ns_ == kMax; }
  int64_t nanoseconds() const {
    if (is_special()) ThrowNoNumber();
    return ns_;
  }
  double seconds() const;
  // "1.5s", or "unset", "min", "max".
  std::string ToString() const;

  // The bound that a packet at this time leaves behind: one nanosecond later, Max() after the last ordinary time.
  Time Next() const { return Time(nanoseconds() + 1); }
  Time operator+(Duration d) const;
  Time operator-(Duration d) const;
  Duration operator-(Time other) const;
  constexpr auto operator<=>(const Time&) const = default;

 private:
  static constexpr int64_t kUnset = std::numeric_limits<int64_t>::min();
  static constexpr int64_t kMin = kUnset + 1;
  static constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr explicit Time(int64_t ns) : ns_(ns) {}
  [[noreturn]] static void ThrowOutOfRange();
  [[noreturn]] void ThrowNoNumber() const;

  int64_t ns_ = kUnset;
};

}  // namespace percept::graph
