// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "graph/config/checked_graph.h"
#include "graph/packet/error_payload.h"
#include "graph/packet/time.h"

namespace percept::graph {

// What an exception says, also where it is no std::exception.
std::string WhatOf(const std::exception_ptr& cause);

// Decides what follows an exception from one node. Made at the first one; used by the node's runner only.
class Supervisor {
 public:
  // `seed` of the variation of waits.
  Supervisor(const CheckedNode& node, size_t seed);

  enum class Action {
    kRefuseSet,  // the set becomes an error packet of `kind`; the node goes on
    kRetry,      // the same call again at again_at()
    kRestart,    // the set and what is pending become error packets; the node is made anew
    kRebuild,    // the node is made anew at again_at() and called with the set it had
    kFail,       // the graph stops
  };
  struct Verdict {
    Action action;
    ErrorKind kind;
    std::string reason;
    std::string times;    // kFail beyond a limit: " 4 times within 60s"
    bool is_told = true;  // kRefuseSet: in the run's log; once where it is of the node rather than of the item
  };
  enum class Call { kWithSet, kWithoutSet, kFlush, kReopen };
  // `now` in the clock's own time.
  Verdict OnException(const std::exception_ptr& cause, Call call, Duration now);
  // A call came back without an exception. True where the one before did not.
  bool OnSuccess();

  // When the node may be called again; nothing where it need not wait.
  const std::optional<Duration>& again_at() const { return again_at_; }
  void ClearWait() { again_at_.reset(); }
  // "waits 400ms to try again": after kRetry and kRebuild.
  std::string DescribeWait(Duration now) const;

 private:
  Verdict OnTransient(std::string reason, Call call, Duration now);
  Verdict OnNodeFault(ErrorKind kind, std::string reason, Call call, Duration now);
  // One more failure; false where that is one too many.
  bool AllowRestart(Duration now);
  void StartWait(Duration now);

  const CheckedNode& node_;
  std::minstd_rand random_;
  int64_t num_tries_ = 0;  // in a row
  std::optional<Duration> again_at_;
  std::deque<Duration> failures_;  // within the window
  std::set<std::string> missing_;  // fields that conditions looked for in vain, as they were told
};

}  // namespace percept::graph
