// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <mutex>

#include "cli/signal_watch.h"

namespace percept::cli {

// Lets SIGINT, SIGTERM and SIGHUP reach what runs: the first stops it gently, the second at once, the third ends the
// program. Before anything runs a signal ends the program; afterwards there is nothing left to stop. Made before any
// thread starts.
class Interrupts {
 public:
  // What signals do to a run; called on a thread of their own.
  struct Stops {
    std::function<void()> gently, at_once;
  };

  // Calls `run`, once; meanwhile signals call `stops`.
  template <class Run>
  auto During(const Stops& stops, Run run) {
    const Scope scope(*this, stops);
    return run();
  }

 private:
  class Scope {
   public:
    Scope(Interrupts& interrupts, const Stops& stops) : interrupts_(interrupts) { interrupts_.Begin(stops); }
    ~Scope() { interrupts_.End(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Interrupts& interrupts_;
  };

  void Begin(const Stops& stops);
  void End();
  void OnSignal(std::function<void()> Stops::*stop);

  std::mutex mutex_;
  const Stops* stops_ = nullptr;
  bool has_run_ = false;
  SignalWatch watch_{[this] { OnSignal(&Stops::gently); }, [this] { OnSignal(&Stops::at_once); }};
};

}  // namespace percept::cli
