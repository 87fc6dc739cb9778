// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <sstream>
#include <streambuf>
#include <string>
#include <string_view>

#include "cli/progress.h"
#include "kernels/core/error.h"
#include "nodes/runtime.h"

namespace percept::cli {

// The reader of standard output went away, or there never was one.
class OutputClosedError : public Error {
 public:
  using Error::Error;
};

// Throws OutputClosedError, or Error with the reason.
void WriteStandardOutput(std::string_view text);

// Standard output of the program, without a buffer of its own. Takes the progress bar away first: both may be the same
// terminal.
class StandardOutput : public nodes::TextStream {
 public:
  explicit StandardOutput(Progress& progress) : progress_(progress) {}

  // Throws OutputClosedError, or Error with the reason.
  void Write(std::string_view text) override;
  bool WaitForRoom(std::chrono::milliseconds limit) override;
  // Escaped where it is a terminal.
  std::string Shown(const std::string& name) const override;

 private:
  Progress& progress_;
};

// Keeps what is printed to std::cout while it lives, so that it can be written where a failure is seen.
class PrintedText {
 public:
  PrintedText();
  ~PrintedText();
  PrintedText(const PrintedText&) = delete;
  PrintedText& operator=(const PrintedText&) = delete;

  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::streambuf* const console_;
};

}  // namespace percept::cli
