// SPDX-License-Identifier: Apache-2.0
#include "cli/standard_output.h"

#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace percept::cli {

void StandardOutput::Write(std::string_view text) {
  progress_.Hide();
  while (!text.empty()) {
    const ssize_t count = write(STDOUT_FILENO, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EPIPE) {
      throw OutputClosedError("standard output was closed before all was written");
    } else if (errno != EINTR) {
      throw Error("standard output cannot be written: " + std::generic_category().message(errno));
    }
  }
}

}  // namespace percept::cli
