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
  return set;
}

int Checked(int file_descriptor) {
  if (file_descriptor < 0) {
    throw std::system_error(errno, std::generic_category(), "watching signals");
  }
  return file_descriptor;
}

int OpenSignals() {
  const sigset_t set = StopSignals();
  return Checked(signalfd(-1, &set, SFD_CLOEXEC));
}

}  // namespace

void HoldSignals() {
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

SignalWatch::SignalWatch(std::function<void()> on_signal)
    : on_signal_(std::move(on_signal)),
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
    if (signalled_.exchange(true)) {
      _exit(kExitAtOnce);
    }
    on_signal_();
  }
}

}  // namespace percept::cli
