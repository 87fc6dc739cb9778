// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/run_pipeline.h"
#include "cli/set_flags.h"

namespace percept::cli {

void AddRun(CLI::App& app, Action* action) {
  struct Flags {
    std::string file;
    std::vector<std::string> sets;
    RuntimeFlags runtime;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("run", "Run a pipeline file");
  verb->add_option("file", flags->file, "pipeline to run")->required()->type_name("FILE");
  AddSetFlags(*verb, &flags->sets);
  AddRuntimeFlags(*verb, &flags->runtime);
  AddContextFlags(*verb, &flags->runtime);
  verb->footer("Example:\n  percept run pipelines/ocr.yaml --set input=receipt.png --set format=jsonl");
  verb->callback([flags, action] {
    *action = [flags] {
      graph::Arguments arguments = ParseSets(flags->sets);
      TakeModelFrom(arguments, &flags->runtime);
      return RunPipeline(flags->file, std::move(arguments), flags->runtime);
    };
  });
}

}  // namespace percept::cli
