// SPDX-License-Identifier: Apache-2.0
#include "cli/signal_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <system_error>
#include <utility>

namespace percept::cli {
namespace {

constexpr int kExitAtOnce = 130;  // what shells report for a program that SIGINT ended

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  struct sigaction hang_up {};
  sigaction(SIGHUP, nullptr, &hang_up);
  if (hang_up.sa_handler != SIG_IGN) {  // as nohup has it
    sigaddset(&set, SIGHUP);
  }
  return set;
}

int Checked(int file_descriptor) {
  if (file_descriptor < 0) {
    throw std::system_error(errno, std::generic_category(), "watching signals");
  }
  return file_descriptor;
}

// Keeps them from ending the program, on this thread and those that it starts.
int OpenSignals() {
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return Checked(signalfd(-1, &set, SFD_CLOEXEC));
}

}  // namespace

SignalWatch::SignalWatch(std::function<void()> on_first, std::function<void()> on_second)
    : on_first_(std::move(on_first)),
      on_second_(std::move(on_second)),
      signals_(OpenSignals()),
      stop_(Checked(eventfd(0, EFD_CLOEXEC))),
      thread_([this] { Watch(); }) {}

SignalWatch::~SignalWatch() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(stop_, &one, sizeof(one));
  thread_.join();
  close(stop_);
  close(signals_);
}

void SignalWatch::Watch() {
  std::array<pollfd, 2> waits = {pollfd{signals_, POLLIN, 0}, pollfd{stop_, POLLIN, 0}};
  while (true) {
    const int ready = poll(waits.data(), waits.size(), -1);
    if (ready < 0 && errno == EINTR) {
      continue;
    }
    if (waits[1].revents != 0) {
      return;
    }
    signalfd_siginfo signal;
    if (read(signals_, &signal, sizeof(signal)) != sizeof(signal)) {
      continue;
    }
    const int num_before = num_signals_.fetch_add(1);
    if (num_before == 0) {
      on_first_();
    } else if (num_before == 1) {
      on_second_();
    } else {
      _exit(kExitAtOnce);
    }
  }
}

}  // namespace percept::cli
