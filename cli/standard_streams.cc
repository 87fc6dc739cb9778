// SPDX-License-Identifier: Apache-2.0
#include "cli/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <initializer_list>

namespace percept::cli {

void OpenClosedStreams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) < 0) {
      // It gets the lowest free number, which is this one. Reading a file open for writing fails with EBADF, and the
      // other way round, as what is closed does. What is told on standard error is lost.
      [[maybe_unused]] const int opened = open("/dev/null", stream == STDOUT_FILENO ? O_RDONLY : O_WRONLY);
    }
  }
}

}  // namespace percept::cli
