// SPDX-License-Identifier: Apache-2.0
#include "graph/node/state_account.h"

#include <algorithm>
#include <string>
#include <utility>

#include "graph/node/quantity.h"

namespace percept::graph {
namespace {

// A payload may claim more than an int64_t holds.
int64_t Clamped(size_t bytes) {
  constexpr size_t kMost = size_t{1} << 50;
  return static_cast<int64_t>(std::min(bytes, kMost));
}

std::string Count(int64_t num, const char* unit) { return std::to_string(num) + " " + unit + (num == 1 ? "" : "s"); }

}  // namespace

void StateAccount::Add(size_t bytes, Duration span) {
  const int64_t more = Clamped(bytes);
  std::string bound;
  if (bound_.items == 0 && bound_.bytes == 0 && bound_.time == Duration()) {
    bound = ": its contract allows it no state";
  } else if (bound_.items > 0 && items_ >= bound_.items) {
    bound = " would pass its state bound of " + Count(bound_.items, "item");
  } else if (bound_.bytes > 0 && more > bound_.bytes - bytes_) {
    bound = " would pass its state bound of " + Count(bound_.bytes, "byte");
  } else if (bound_.time > Duration() && span > bound_.time) {
    bound = ", " + DurationText(span) + " after the oldest, would pass its state bound of " + DurationText(bound_.time);
  }
  if (!bound.empty()) {
    throw StateError("it keeps " + Count(items_, "item") + " of " + Count(bytes_, "byte") + "; one more of " +
                     Count(more, "byte") + bound);
  }
  ++items_;
  bytes_ += more;
  peak_items_ = std::max(peak_items_, items_);
  peak_bytes_ = std::max(peak_bytes_, bytes_);
}

void StateAccount::Remove(size_t bytes) {
  --items_;
  bytes_ -= Clamped(bytes);
}

void KeptPackets::Push(Packet packet) {
  const Duration span = packets_.empty() ? Duration() : packet.timestamp() - packets_.front().timestamp();
  account_.Add(packet.bytes(), span);
  packets_.push_back(std::move(packet));
}

Packet KeptPackets::Pop() {
  Packet packet = std::move(packets_.front());
  packets_.pop_front();
  account_.Remove(packet.bytes());
  return packet;
}

void KeptPackets::Clear() {
  while (!packets_.empty()) Pop();
}

}  // namespace percept::graph
