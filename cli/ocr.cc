// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/output_check.h"
#include "cli/run_pipeline.h"
#include "cli/shipped_files.h"

namespace percept::cli {
namespace {

struct Flags {
  std::vector<std::string> images;
  bool json = false;
  std::optional<std::string> output, prompt, budget, max_tokens;  // none: as the pipeline says
  RuntimeFlags runtime;
};

// "" where the value is right.
std::string BudgetError(const std::string& value) {
  const std::vector<std::string> budgets = {"0", "70", "140", "280", "560", "1120"};
  return std::find(budgets.begin(), budgets.end(), value) != budgets.end()
             ? ""
             : "takes 70, 140, 280, 560 or 1120, or 0 for the model's own, not '" + value + "'";
}

std::string LengthError(const std::string& value) {
  int64_t length = 0;
  const char* const end = value.data() + value.size();
  const auto [rest, error] = std::from_chars(value.data(), end, length);
  return error == std::errc() && rest == end && length > 0 ? "" : "takes a number of tokens, not '" + value + "'";
}

// A verb that is nothing but a shipped pipeline with its parameters filled in.
void AddShippedPipeline(CLI::App& app, Action* action, const std::string& name, const std::string& description,
                        const std::string& footer) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand(name, description);
  verb->add_option("images", flags->images, "pictures to read; - is standard input")->required()->type_name("IMAGE");
  verb->add_flag("--json", flags->json, "one JSON record per picture, failed ones included");
  verb->add_option("--output,-o", flags->output, "file to write instead of standard output")->type_name("FILE");
  verb->add_option("--prompt", flags->prompt, "what to ask")->type_name("TEXT");
  verb->add_option("--budget", flags->budget,
                   "soft tokens per picture: 70, 140, 280, 560 or 1120; else the model's own")
      ->type_name("N")
      ->check(BudgetError);
  verb->add_option("--max-tokens", flags->max_tokens, "longest answer")->type_name("N")->check(LengthError);
  AddRuntimeFlags(*verb, &flags->runtime);
  AddContextFlags(*verb, &flags->runtime);
  verb->footer(footer);
  verb->callback([flags, action, name] {
    *action = [flags, name] {
      if (flags->output) {
        CheckOutput(*flags->output, flags->images);
      }
      graph::Arguments arguments;
      arguments.values["input"] = flags->images;
      arguments.values["format"] = {flags->json ? "jsonl" : "text"};
      const auto set = [&](const char* parameter, const std::optional<std::string>& value) {
        if (value) {
          arguments.values[parameter] = {*value};
        }
      };
      set("output", flags->output);
      set("prompt", flags->prompt);
      set("budget", flags->budget);
      set("max_tokens", flags->max_tokens);
      return RunPipeline(ShippedFile("pipelines/" + name + ".yaml"), std::move(arguments), flags->runtime);
    };
  });
}

}  // namespace

void AddOcr(CLI::App& app, Action* action) {
  AddShippedPipeline(app, action, "ocr", "Read the text in pictures",
                     "Examples:\n  percept ocr receipt.png\n  percept ocr --json *.jpg > texts.jsonl\n"
                     "  cat scan.png | percept ocr -");
}

void AddChart(CLI::App& app, Action* action) {
  AddShippedPipeline(app, action, "chart", "Read charts: title, then one line per value",
                     "Example:\n  percept chart sales.png");
}

}  // namespace percept::cli
