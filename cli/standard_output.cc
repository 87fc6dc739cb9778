// SPDX-License-Identifier: Apache-2.0
#include "cli/standard_output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <string>
#include <system_error>

#include "cli/escaped.h"

namespace percept::cli {

void WriteStandardOutput(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(STDOUT_FILENO, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EPIPE) {
      throw OutputClosedError("standard output was closed before all was written");
    } else if (errno == EBADF) {
      throw OutputClosedError("standard output is closed");
    } else if (errno != EINTR) {
      throw Error("standard output cannot be written: " + std::generic_category().message(errno));
    }
  }
}

void StandardOutput::Write(std::string_view text) {
  progress_.Hide();
  WriteStandardOutput(text);
}

bool StandardOutput::WaitForRoom(std::chrono::milliseconds limit) {
  pollfd wait = {STDOUT_FILENO, POLLOUT, 0};
  return poll(&wait, 1, static_cast<int>(limit.count())) != 0;
}

std::string StandardOutput::Shown(const std::string& name) const {
  return isatty(STDOUT_FILENO) == 1 ? Escaped(name) : name;
}

PrintedText::PrintedText() : console_(std::cout.rdbuf(text_.rdbuf())) {}

PrintedText::~PrintedText() { std::cout.rdbuf(console_); }

}  // namespace percept::cli
