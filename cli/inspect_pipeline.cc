// SPDX-License-Identifier: Apache-2.0
#include <spdlog/spdlog.h>

#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/measure.h"
#include "cli/output_check.h"
#include "cli/quantity.h"
#include "cli/run_report.h"
#include "cli/set_flags.h"
#include "cli/structure_report.h"
#include "engine/model.h"
#include "graph/config/checked_graph.h"
#include "graph/config/structure.h"
#include "nodes/register_nodes.h"

namespace percept::cli {
namespace {

struct Flags {
  std::string file;
  std::vector<std::string> sets, measure;
  bool json = false;
  RuntimeFlags runtime;
};

// Paths and texts that a run must be given get a stand-in, so that a file can be checked by itself.
graph::Arguments ArgumentsFor(const Flags& flags) {
  graph::Arguments arguments = ParseSets(flags.sets);
  const graph::PipelineDefinition pipeline = graph::LoadPipeline(flags.file);
  if (!flags.measure.empty()) {
    FillInput(pipeline, flags.measure, &arguments);
  }
  for (const graph::ParamDecl& param : pipeline.params) {
    const bool can_stand_in = param.type == graph::ParamType::kPath || param.type == graph::ParamType::kString;
    if (param.required && can_stand_in && arguments.values.count(param.name) == 0) {
      arguments.values[param.name] = {"<" + param.name + ">"};
      for (const char* part : {".dir", ".stem"}) {
        arguments.parts[param.name + part] = "<" + param.name + part + ">";
      }
    }
  }
  GiveModelTo(&arguments, flags.runtime);
  return arguments;
}

graph::CheckedGraph CheckPipeline(const Flags& flags) {
  graph::Registry registry;
  nodes::RegisterNodes(&registry);
  return graph::CheckFile(flags.file, registry, ArgumentsFor(flags));
}

// The models that nodes run, each once, with the nodes that share it.
std::map<nodes::ModelFiles, std::string> ModelsOf(const graph::CheckedGraph& graph, const nodes::ModelFiles& run) {
  std::map<nodes::ModelFiles, std::string> nodes_of;
  for (const graph::CheckedNode& node : graph.nodes) {
    if (!nodes::RunsModel(node.contract)) {
      continue;
    }
    std::string& nodes = nodes_of[nodes::ModelFilesOf(node.params, run)];
    nodes += (nodes.empty() ? "" : ", ") + node.name;
  }
  return nodes_of;
}

// What a model that nodes run takes.
struct ModelMemory {
  std::string nodes, path;
  int64_t file_bytes = 0;
  EngineMemory engine;
};

std::vector<ModelMemory> MemoryOfModels(const graph::CheckedGraph& graph, const nodes::ModelFiles& run) {
  std::vector<ModelMemory> models;
  for (const auto& [files, nodes] : ModelsOf(graph, run)) {
    const ModelCard card = Model::Inspect(files.model, files.mmproj);
    models.push_back({nodes, files.model, card.file_bytes, MemoryOf(card.text, {})});
  }
  return models;
}

void PrintModels(const std::vector<ModelMemory>& models) {
  for (const ModelMemory& model : models) {
    std::cout << "  model of " << model.nodes << ": " << Bytes(model.file_bytes) << " of weights (" << model.path
              << ")\n"
              << "    keys and values: " << Bytes(model.engine.sequence_bytes) << " for a prompt and answer of "
              << model.engine.context_tokens << " tokens, " << Bytes(model.engine.kv_limit_bytes)
              << " for all at work\n"
              << "    scratch of a decoder step: " << Bytes(model.engine.step_bytes) << "\n";
  }
}

nlohmann::ordered_json ModelsJson(const std::vector<ModelMemory>& models) {
  auto json = nlohmann::ordered_json::array();
  for (const ModelMemory& model : models) {
    json.push_back({{"path", model.path},
                    {"nodes", model.nodes},
                    {"weights_bytes", model.file_bytes},
                    {"sequence_bytes", model.engine.sequence_bytes},
                    {"kv_limit_bytes", model.engine.kv_limit_bytes},
                    {"step_bytes", model.engine.step_bytes}});
  }
  return json;
}

// `measured` may be null.
void PrintCheck(const graph::CheckedGraph& graph, const nodes::ModelFiles& run, const Measured* measured) {
  const graph::Structure structure = graph::StructureOf(graph);
  std::cout << graph.name << ": " << Count(graph.nodes.size(), "node") << ", " << Count(graph.edges.size(), "edge")
            << "\n";
  for (const std::string& warning : graph.warnings) {
    std::cout << "note: " << warning << "\n";
  }
  std::cout << "memory, at most\n";
  PrintModels(MemoryOfModels(graph, run));
  PrintStructure(graph, structure);
  if (measured != nullptr) {
    PrintMeasured(graph, structure, *measured);
  }
}

void PrintCheckJson(const graph::CheckedGraph& graph, const nodes::ModelFiles& run, const Measured* measured) {
  const graph::Structure structure = graph::StructureOf(graph);
  nlohmann::ordered_json json = {
      {"pipeline", graph.name}, {"notes", graph.warnings}, {"models", ModelsJson(MemoryOfModels(graph, run))}};
  json.update(StructureJson(graph, structure));
  if (measured != nullptr) {
    json["measured"] = MeasuredJson(graph, structure, *measured);
  }
  std::cout << json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
}

int RunCheck(const Flags& flags) {
  const graph::CheckedGraph graph = CheckPipeline(flags);
  CheckOutputs(graph, flags.file, flags.runtime.ToModelFiles().model);
  std::optional<Measured> measured;
  int exit_code = kAllDone;
  if (!flags.measure.empty()) {
    measured = Measure(graph, flags.measure, flags.runtime);
    exit_code = Report(measured->result, AllSourcesAreLive(graph));
    if (MeasuredNothing(*measured)) {
      spdlog::error("nothing was measured");
      return exit_code;
    }
  }
  const auto print = flags.json ? PrintCheckJson : PrintCheck;
  print(graph, flags.runtime.ToModelFiles(), measured ? &*measured : nullptr);
  return exit_code;
}

CLI::App* AddFileVerb(CLI::App& app, const std::string& name, const std::string& description,
                      const std::string& file_doc, const std::shared_ptr<Flags>& flags) {
  CLI::App* verb = app.add_subcommand(name, description);
  verb->add_option("file", flags->file, file_doc)->required()->type_name("FILE");
  AddSetFlags(*verb, &flags->sets);
  return verb;
}

}  // namespace

void AddCheck(CLI::App& app, Action* action) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = AddFileVerb(app, "check", "Check a pipeline file: names, types, memory, delay, ports nobody reads",
                               "pipeline to look at; without --measure nothing is run", flags);
  verb->add_option("--measure", flags->measure,
                   "run it too, with these as its parameter `input`, and tell where the time goes and what memory "
                   "is taken; sinks write nothing")
      ->type_name("INPUT")
      ->expected(1, CLI::detail::expected_max_vector_size);
  verb->add_flag("--json", flags->json, "print the same facts as JSON");
  AddRuntimeFlags(*verb, &flags->runtime);
  verb->footer(
      "Examples:\n  percept check pipelines/ocr.yaml --set budget=280\n"
      "  percept check pipelines/ocr.yaml --measure scans/*.png");
  verb->callback([flags, action] { *action = [flags] { return RunCheck(*flags); }; });
}

void AddGraph(CLI::App& app, Action* action) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = AddFileVerb(app, "graph", "Draw a pipeline file as a Mermaid flowchart",
                               "pipeline to draw; nothing is run", flags);
  AddModelFlags(*verb, &flags->runtime);
  verb->footer("Example:\n  percept graph pipelines/ocr.yaml > ocr.mmd");
  verb->callback([flags, action] {
    *action = [flags] {
      std::cout << graph::ToMermaid(CheckPipeline(*flags));
      return kAllDone;
    };
  });
}

}  // namespace percept::cli
