// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include "graph/queue/edge.h"

namespace percept::graph {

class Part;

// The inputs that a node is to take in or to let go of while it runs. The run says so from any thread; the node's
// runner does it between two sets.
class GrowingInputs {
 public:
  struct Arrival {
    Part* part;
    Edge* edge;
    std::string port;
  };
  struct Departure {
    Part* part;
    Edge* edge;
  };

  // For the run. An input will come, and until it has come or is given up the node does not end. False where the node
  // has ended.
  bool Expect();
  void GiveUp();
  // The input that was expected. False where the node has ended meanwhile.
  bool Attach(Arrival arrival);
  // An input that is to be let go of when it has ended. False where the node has ended: nobody looks at the edge any
  // more.
  bool Detach(Departure departure);

  // For the runner. Whether there is anything to take.
  bool changed() const { return changed_.load(std::memory_order_acquire); }
  std::vector<Arrival> TakeArrivals();
  // Those whose edges have ended.
  std::vector<Departure> TakeEnded();
  // No more inputs are expected from now on. TryEnd: false, and nothing is done, while one is.
  bool TryEnd();
  void End();
  struct Rest {
    std::vector<Arrival> arrivals;
    std::vector<Departure> departures;
  };
  // The node is closed: what was still to be done.
  Rest TakeRest();

 private:
  void NoteChanges() { changed_.store(!arrivals_.empty() || !departures_.empty(), std::memory_order_release); }

  std::atomic<bool> changed_{false};
  std::mutex mutex_;
  std::vector<Arrival> arrivals_;
  std::vector<Departure> departures_;
  size_t num_expected_ = 0;  // arrivals included
  bool has_ended_ = false;
  bool is_closed_ = false;
};

}  // namespace percept::graph
