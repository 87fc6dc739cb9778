// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

// A service that sinks write what they receive to, under their own names.
class Recorder {
 public:
  void Add(const std::string& sink, std::string line) {
    std::lock_guard lock(mutex_);
    lines_[sink].push_back(std::move(line));
  }
  std::vector<std::string> Lines(const std::string& sink) const {
    std::lock_guard lock(mutex_);
    auto it = lines_.find(sink);
    return it == lines_.end() ? std::vector<std::string>{} : it->second;
  }
  std::map<std::string, std::vector<std::string>> All() const {
    std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<std::string>> lines_;
};
