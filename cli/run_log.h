// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/progress.h"
#include "graph/run/run_log.h"

namespace percept::cli {

// Writes to standard error what runs say, past the progress bar. Any thread.
class RunLog {
 public:
  explicit RunLog(Progress& progress) : progress_(progress) {}

  void Write(const graph::RunNote& note);
  void Write(const graph::ErrorPayload& failed);

 private:
  Progress& progress_;
};

}  // namespace percept::cli
