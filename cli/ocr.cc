// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/run_pipeline.h"
#include "cli/shipped_files.h"

namespace percept::cli {
namespace {

struct Flags {
  std::vector<std::string> images;
  bool json = false;
  std::string output, prompt, budget, max_tokens;  // empty: as the pipeline says
  RuntimeFlags runtime;
};

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
      ->type_name("N");
  verb->add_option("--max-tokens", flags->max_tokens, "longest answer")->type_name("N");
  AddRuntimeFlags(*verb, &flags->runtime);
  verb->footer(footer);
  verb->callback([flags, action, name] {
    *action = [flags, name] {
      graph::Arguments arguments;
      arguments.values["input"] = flags->images;
      arguments.values["format"] = {flags->json ? "jsonl" : "text"};
      const auto set = [&](const char* parameter, const std::string& value) {
        if (!value.empty()) {
          arguments.values[parameter] = {value};
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
