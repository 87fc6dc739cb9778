// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

namespace percept {

// Requests that wait for their turn: higher priority first, equal ones in the order they came. The caller locks.
template <typename Request>
class RequestLine {
 public:
  bool empty() const { return requests_.empty(); }
  Request* front() const { return requests_.front().get(); }

  void Add(std::unique_ptr<Request> request) {
    const auto place = std::upper_bound(requests_.begin(), requests_.end(), request->priority,
                                        [](int priority, const auto& other) { return priority > other->priority; });
    requests_.insert(place, std::move(request));
  }

  // Null where it is not here.
  std::unique_ptr<Request> Take(const Request* request) {
    const auto place = std::find_if(requests_.begin(), requests_.end(),
                                    [&](const auto& candidate) { return candidate.get() == request; });
    if (place == requests_.end()) {
      return nullptr;
    }
    std::unique_ptr<Request> taken = std::move(*place);
    requests_.erase(place);
    return taken;
  }

  // Null where none is cancelled.
  std::unique_ptr<Request> TakeCancelled() {
    const auto place = std::find_if(requests_.begin(), requests_.end(),
                                    [](const auto& candidate) { return candidate->cancelled.load(); });
    return place == requests_.end() ? nullptr : Take(place->get());
  }

 private:
  std::vector<std::unique_ptr<Request>> requests_;
};

}  // namespace percept
