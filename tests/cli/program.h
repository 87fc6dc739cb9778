// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <regex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/shared_dir.h"

namespace percept::cli {

// What a run of the program left behind.
struct Outcome {
  int exit_code = -1;  // negative: the signal that ended it
  // `err` is without the lines of progress, which come where a run takes long: how many is up to the machine.
  std::string out, err, progress;
};

// The program as a process of its own. Standard input stays open until CloseInput.
class Program {
 public:
  // `environment` is added to this process's. The program is started without the streams in `closed`; with `terminal`
  // its standard output is one, which shows line ends as \r\n.
  explicit Program(const std::vector<std::string>& arguments, const std::vector<std::string>& environment = {},
                   const std::vector<int>& closed = {}, bool terminal = false) {
    std::array<int, 2> in{}, out{}, err{};
    if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0 || pipe2(err.data(), O_CLOEXEC) != 0) {
      throw std::runtime_error("no pipes can be made");
    }
    if (terminal) {
      OpenTerminal(&out);
    }
    process_ = fork();
    if (process_ < 0) {
      throw std::runtime_error("no process can be made");
    }
    if (process_ == 0) {
      dup2(in[0], STDIN_FILENO);
      dup2(out[1], STDOUT_FILENO);
      dup2(err[1], STDERR_FILENO);
      for (const int stream : closed) {
        close(stream);
      }
      Execute(arguments, environment);
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    in_ = in[1];
    out_ = out[0];
    err_ = err[0];
  }
  ~Program() {
    if (process_ > 0) {
      kill(process_, SIGKILL);
      waitpid(process_, nullptr, 0);
    }
    for (const int end : {in_, out_, err_}) {
      if (end >= 0) {
        close(end);
      }
    }
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void Write(const std::string& bytes) const {
    for (size_t done = 0; done < bytes.size();) {
      const ssize_t count = write(in_, bytes.data() + done, bytes.size() - done);
      if (count < 0) {
        throw std::runtime_error("the program does not read its input");
      }
      done += static_cast<size_t>(count);
    }
  }
  void CloseInput() { close(std::exchange(in_, -1)); }
  void CloseOutput() { close(std::exchange(out_, -1)); }
  void Signal(int signal) const { kill(process_, signal); }

  // Reads standard output until there is some, or it ends.
  void WaitForOutput() {
    std::array<char, 4096> bytes;
    const ssize_t count = read(out_, bytes.data(), bytes.size());
    outcome_.out.append(bytes.data(), static_cast<size_t>(count > 0 ? count : 0));
  }

  // Reads both outputs to their ends and waits for the process.
  Outcome Finish() {
    while (out_ >= 0 || err_ >= 0) {
      std::array<pollfd, 2> waits = {pollfd{out_, POLLIN, 0}, pollfd{err_, POLLIN, 0}};
      poll(waits.data(), waits.size(), -1);
      if (waits[0].revents != 0) {
        Take(&out_, &outcome_.out);
      }
      if (waits[1].revents != 0) {
        Take(&err_, &outcome_.err);
      }
    }
    int status = 0;
    while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = -1;
    outcome_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    TakeProgressOut();
    return outcome_;
  }

 private:
  void TakeProgressOut() {
    static const std::regex kProgress("percept: [0-9]+( of [0-9]+)? done, ([0-9]+ (failed|tokens), )*[0-9]+ s\n");
    std::string rest;
    for (size_t from = 0, end = 0; from < outcome_.err.size(); from = end) {
      end = std::min(outcome_.err.find('\n', from), outcome_.err.size() - 1) + 1;
      const std::string line = outcome_.err.substr(from, end - from);
      (std::regex_match(line, kProgress) ? outcome_.progress : rest) += line;
    }
    outcome_.err = std::move(rest);
  }

  // In the place of a pipe.
  static void OpenTerminal(std::array<int, 2>* ends) {
    close((*ends)[0]);
    close((*ends)[1]);
    const int screen = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (screen < 0 || grantpt(screen) != 0 || unlockpt(screen) != 0) {
      throw std::runtime_error("no terminal can be made");
    }
    *ends = {screen, open(ptsname(screen), O_RDWR | O_NOCTTY | O_CLOEXEC)};
  }

  [[noreturn]] static void Execute(const std::vector<std::string>& arguments,
                                   const std::vector<std::string>& environment) {
    std::vector<char*> argv = {const_cast<char*>("percept")};
    for (const std::string& argument : arguments) {
      argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    for (const std::string& variable : environment) {
      putenv(const_cast<char*>(variable.c_str()));
    }
    execv(ProgramPath().c_str(), argv.data());
    _exit(127);
  }

  static void Take(int* end, std::string* text) {
    std::array<char, 4096> bytes;
    const ssize_t count = read(*end, bytes.data(), bytes.size());
    if (count > 0) {
      text->append(bytes.data(), static_cast<size_t>(count));
    } else {
      close(std::exchange(*end, -1));
    }
  }

  pid_t process_ = -1;
  int in_ = -1, out_ = -1, err_ = -1;
  Outcome outcome_;
};

// One run from start to end, with `input` as its standard input.
inline Outcome RunProgram(const std::vector<std::string>& arguments, const std::string& input = "",
                          const std::vector<std::string>& environment = {}) {
  Program program(arguments, environment);
  program.Write(input);
  program.CloseInput();
  return program.Finish();
}

// A verb that runs the embedded model, capped to the instruction set that the tests run with.
inline std::vector<std::string> Reading(std::vector<std::string> arguments) {
  if (const char* cap = std::getenv("PERCEPT_TEST_MAX_ISA"); cap != nullptr) {
    arguments.insert(arguments.end(), {"--max-isa", cap});
  }
  return arguments;
}

}  // namespace percept::cli
