// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <optional>
#include <utility>

namespace percept {

// A value that is made when it is first asked for. Any thread: others wait for the one that makes it. Where making it
// throws, the next to ask tries again.
template <typename T>
class Lazy {
 public:
  template <typename Make>
  const T& Get(Make&& make) {
    const std::lock_guard lock(mutex_);
    if (!value_) {
      value_.emplace(std::forward<Make>(make)());
    }
    return *value_;
  }

 private:
  std::mutex mutex_;
  std::optional<T> value_;
};

}  // namespace percept
