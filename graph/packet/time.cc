// SPDX-License-Identifier: Apache-2.0
#include "graph/packet/time.h"

#include <cmath>
#include <cstdio>
#include <stdexcept>

namespace percept::graph {
namespace {

int64_t Scaled(int64_t value, int64_t ns_per_unit) {
  int64_t ns = 0;
  if (__builtin_mul_overflow(value, ns_per_unit, &ns))
    throw std::out_of_range("media time beyond 64 bits of nanoseconds");
  return ns;
}

int64_t FromSeconds(double seconds) {
  const double ns = std::round(seconds * 1e9);
  // 2^63 is a double, the largest int64 is not; written so that a NaN fails too.
  if (!(ns > -9223372036854775808.0 && ns < 9223372036854775808.0)) {
    throw std::out_of_range("media time beyond 64 bits of nanoseconds");
  }
  return static_cast<int64_t>(ns);
}

int64_t Sum(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) throw std::out_of_range("media time beyond 64 bits of nanoseconds");
  return sum;
}

int64_t Difference(int64_t a, int64_t b) {
  int64_t difference = 0;
  if (__builtin_sub_overflow(a, b, &difference)) throw std::out_of_range("media time beyond 64 bits of nanoseconds");
  return difference;
}

}  // namespace

Duration Duration::Microseconds(int64_t us) { return Duration(Scaled(us, 1000)); }
Duration Duration::Milliseconds(int64_t ms) { return Duration(Scaled(ms, 1000000)); }
Duration Duration::Seconds(double seconds) { return Duration(FromSeconds(seconds)); }
Duration Duration::operator+(Duration other) const { return Duration(Sum(ns_, other.ns_)); }
Duration Duration::operator-(Duration other) const { return Duration(Difference(ns_, other.ns_)); }

void Time::ThrowOutOfRange() { throw std::out_of_range("media time beyond 64 bits of nanoseconds"); }
void Time::ThrowNoNumber() const { throw std::logic_error("media time '" + ToString() + "' has no number"); }

Time Time::Microseconds(int64_t us) { return Nanoseconds(Scaled(us, 1000)); }
Time Time::Milliseconds(int64_t ms) { return Nanoseconds(Scaled(ms, 1000000)); }
Time Time::Seconds(double seconds) { return Nanoseconds(FromSeconds(seconds)); }

double Time::seconds() const { return static_cast<double>(nanoseconds()) / 1e9; }

std::string Time::ToString() const {
  if (ns_ == kUnset) return "unset";
  if (ns_ == kMin) return "min";
  if (ns_ == kMax) return "max";
  char text[40];
  const uint64_t magnitude = ns_ < 0 ? uint64_t{0} - static_cast<uint64_t>(ns_) : static_cast<uint64_t>(ns_);
  int length = std::snprintf(text, sizeof(text), "%s%llu.%09llu", ns_ < 0 ? "-" : "",
                             static_cast<unsigned long long>(magnitude / 1000000000),
                             static_cast<unsigned long long>(magnitude % 1000000000));
  while (text[length - 1] == '0') --length;
  if (text[length - 1] == '.') --length;
  return std::string(text, static_cast<size_t>(length)) + "s";
}

Time Time::operator+(Duration d) const { return Nanoseconds(Sum(nanoseconds(), d.nanoseconds())); }
Time Time::operator-(Duration d) const { return Nanoseconds(Difference(nanoseconds(), d.nanoseconds())); }
Duration Time::operator-(Time other) const {
  return Duration::Nanoseconds(Difference(nanoseconds(), other.nanoseconds()));
}

}  // namespace percept::graph
