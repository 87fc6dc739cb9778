// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "cli/progress.h"
#include "kernels/core/error.h"
#include "nodes/runtime.h"

namespace percept::cli {

// The reader of standard output went away.
class OutputClosedError : public Error {
 public:
  using Error::Error;
};

// Standard output of the program, without a buffer of its own. Takes the progress bar away first: both may be the same
// terminal.
class StandardOutput : public nodes::TextStream {
 public:
  explicit StandardOutput(Progress& progress) : progress_(progress) {}

  // Throws OutputClosedError, or Error with the reason.
  void Write(std::string_view text) override;

 private:
  Progress& progress_;
};

}  // namespace percept::cli
