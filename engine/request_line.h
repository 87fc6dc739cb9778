// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "engine/request.h"

namespace percept {

// The order of requests by priority; equal ones stay in the order they came.
template <typename Request>
bool IsBefore(int priority, const std::unique_ptr<Request>& other) {
  return priority > other->urgency.priority;
}

// Requests that wait for their turn: higher priority first, equal ones in the order they came. The caller locks.
template <typename Request>
class RequestLine {
 public:
  bool empty() const { return requests_.empty(); }
  Request* front() const { return requests_.front().get(); }

  void Add(std::unique_ptr<Request> request) {
    const auto place =
        std::upper_bound(requests_.begin(), requests_.end(), request->urgency.priority, IsBefore<Request>);
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

  // One that is cancelled or whose deadline has passed; null where there is none.
  std::unique_ptr<Request> TakeLeaving(Urgency::Clock::time_point now) {
    const auto place = std::find_if(requests_.begin(), requests_.end(), [&](const auto& candidate) {
      return candidate->cancelled.load() || candidate->urgency.IsOver(now);
    });
    return place == requests_.end() ? nullptr : Take(place->get());
  }

 private:
  std::vector<std::unique_ptr<Request>> requests_;
};

}  // namespace percept
