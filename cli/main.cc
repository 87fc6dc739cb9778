// SPDX-License-Identifier: Apache-2.0
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/escaped.h"
#include "cli/standard_output.h"
#include "cli/standard_streams.h"
#include "graph/node/nearest.h"
#include "graph/node/position.h"
#include "kernels/core/error.h"

namespace percept::cli {
namespace {

constexpr const char* kVersion = "0.1.0";

// What a message says, names and reasons of others in it.
class EscapedMessage : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& line) override {
    const std::string text = Escaped({message.payload.data(), message.payload.size()});
    line.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<EscapedMessage>(); }
};

void StartLog() {
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("percept", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<EscapedMessage>('*').set_pattern("%n: %*");
  spdlog::set_formatter(std::move(formatter));
}

int RunAction(const Action& action) {
  try {
    return action();
  } catch (const graph::DefinitionError& error) {
    spdlog::error("{}", error.what());
    return kWrongArguments;
  } catch (const CheckpointError& error) {
    spdlog::error("{}", error.what());
    return kWrongArguments;
  } catch (const ArgumentError& error) {
    spdlog::error("{}", error.what());
    return kWrongArguments;
  } catch (const std::exception& error) {
    spdlog::error("{}", error.what());
    return kStopped;
  }
}

// What to say where the first word of the command line is no verb.
std::optional<std::string> UnknownVerb(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> verbs;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    verbs.push_back(verb->get_name());
  }
  const std::string word = argc > 1 ? argv[1] : "-";
  if (word.compare(0, 1, "-") == 0 || std::find(verbs.begin(), verbs.end(), word) != verbs.end()) {
    return std::nullopt;
  }
  return "no verb '" + word + "'" + graph::NearestNames(word, verbs);
}

// The library's word for a verb is not ours.
std::string WhatIsWrong(const CLI::ParseError& error) {
  constexpr std::string_view kTheirs = "A subcommand is";
  const std::string text = error.what();
  return text.starts_with(kTheirs) ? "a verb is" + text.substr(kTheirs.size()) : text;
}

// What to say where an argument looks like an option and is none of the verb's.
std::optional<std::string> UnknownOption(const CLI::App& app) {
  const CLI::App* verb = &app;
  while (!verb->get_subcommands().empty()) {
    verb = verb->get_subcommands().front();
  }
  for (const std::string& word : app.remaining(/*recurse=*/true)) {
    if (word.size() < 2 || word[0] != '-') {
      continue;
    }
    std::error_code ignored;
    const bool has_dot = word.find('.') != std::string::npos && word.find('=') == std::string::npos;
    if (has_dot || std::filesystem::exists(word, ignored)) {
      return std::string("no option '").append(word).append("'; a file of that name is given as ./").append(word);
    }
    std::vector<std::string> valid;
    for (const CLI::Option* option : verb->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        valid.push_back("--" + name);
      }
    }
    const std::string name = word.substr(0, word.find('='));
    return "no option '" + name + "'" + graph::NearestNames(name, valid);
  }
  return std::nullopt;
}

int ParseAndRun(int argc, char** argv) {
  CLI::App app("Reads pictures with a Gemma 4 model, as pipelines of nodes.", "percept");
  app.set_version_flag("--version", kVersion);
  app.footer("Example:\n  percept ocr receipt.png\n\npercept VERB --help tells more.");
  app.require_subcommand(1);
  Action action;
  for (const auto add :
       {AddOcr, AddChart, AddAsk, AddRun, AddBatch, AddCheck, AddGraph, AddNodes, AddModel, AddDoctor, AddBench}) {
    add(app, &action);
  }
  if (const std::optional<std::string> wrong = UnknownVerb(app, argc, argv)) {
    spdlog::error("{}", *wrong);
    return kWrongArguments;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    spdlog::error("{}; percept --help lists what there is", UnknownOption(app).value_or(WhatIsWrong(error)));
    return kWrongArguments;
  }
  return RunAction(action);
}

int Main(int argc, char** argv) {
  OpenClosedStreams();
  std::signal(SIGPIPE, SIG_IGN);  // a reader that went away is an error of the write
  std::signal(SIGXFSZ, SIG_IGN);  // and so is a file that grew to the limit
  StartLog();
  const PrintedText printed;
  const int exit_code = ParseAndRun(argc, argv);
  try {
    WriteStandardOutput(printed.text());
  } catch (const Error& error) {
    spdlog::error("{}", error.what());
    return kStopped;
  }
  return exit_code;
}

}  // namespace
}  // namespace percept::cli

int main(int argc, char** argv) { return percept::cli::Main(argc, argv); }
