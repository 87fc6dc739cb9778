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
#include "kernels/core/error.h"
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

// Beside the graph's own: nodes that disagree about nothing but the drafter hardly mean to load the model twice.
std::vector<std::string> NotesOf(const graph::CheckedGraph& graph, const nodes::ModelFiles& run) {
  std::vector<std::string> notes = graph.warnings;
  std::map<nodes::ModelFiles, std::string> without_drafter;
  for (const auto& [files, nodes] : ModelsOf(graph, run)) {
    nodes::ModelFiles key = files;
    key.drafter.clear();
    const auto [other, is_new] = without_drafter.emplace(key, nodes);
    if (!is_new) {
      notes.push_back(other->second + " and " + nodes + " name " + files.model +
                      " with different drafters, or one of them with none: it is loaded for each");
    }
  }
  return notes;
}

// What a model that nodes run takes.
struct ModelMemory {
  std::string nodes, path, drafter;
  int64_t file_bytes = 0;  // of both
  EngineMemory engine;
};

std::vector<ModelMemory> MemoryOfModels(const graph::CheckedGraph& graph, const RuntimeFlags& flags) {
  std::vector<ModelMemory> models;
  for (const auto& [files, nodes] : ModelsOf(graph, flags.ToModelFiles())) {
    const ModelCard card = Model::Inspect(files.model, files.mmproj, files.drafter);
    if (card.text.drafter) {
      throw CheckpointError(card.unsupported);  // it has no keys and values to count
    }
    models.push_back(
        {.nodes = nodes,
         .path = files.model,
         .drafter = files.drafter,
         .file_bytes = card.file_bytes + (card.drafter ? card.drafter->file_bytes : 0),
         .engine = MemoryOf(card.text, flags.ToEngineOptions(), card.drafter ? &card.drafter->text : nullptr)});
  }
  return models;
}

void PrintModels(const std::vector<ModelMemory>& models) {
  for (const ModelMemory& model : models) {
    std::cout << "  model of " << model.nodes << ": " << Bytes(model.file_bytes) << " of weights (" << model.path
              << (model.drafter.empty() ? "" : " with " + model.drafter) << ")\n"
              << "    keys and values: " << Bytes(model.engine.sequence_bytes) << " for a prompt and answer of "
              << model.engine.context_tokens << " tokens, " << Bytes(model.engine.kv_limit_bytes)
              << " for all at work\n"
              << "    scratch of a decoder step: " << Bytes(model.engine.step_bytes) << "\n";
  }
}

nlohmann::ordered_json ModelsJson(const std::vector<ModelMemory>& models) {
  auto json = nlohmann::ordered_json::array();
  for (const ModelMemory& model : models) {
    auto& written = json.emplace_back(nlohmann::ordered_json{{"path", model.path},
                                                             {"nodes", model.nodes},
                                                             {"weights_bytes", model.file_bytes},
                                                             {"sequence_bytes", model.engine.sequence_bytes},
                                                             {"kv_limit_bytes", model.engine.kv_limit_bytes},
                                                             {"step_bytes", model.engine.step_bytes}});
    if (!model.drafter.empty()) {
      written["drafter"] = model.drafter;
    }
  }
  return json;
}

// `measured` may be null.
void PrintCheck(const graph::CheckedGraph& graph, const RuntimeFlags& flags, const Measured* measured) {
  const std::vector<ModelMemory> models = MemoryOfModels(graph, flags);  // may throw
  const graph::Structure structure = graph::StructureOf(graph);
  std::cout << graph.name << ": " << Count(graph.nodes.size(), "node") << ", " << Count(graph.edges.size(), "edge")
            << "\n";
  for (const std::string& note : NotesOf(graph, flags.ToModelFiles())) {
    std::cout << "note: " << note << "\n";
  }
  std::cout << "memory, at most\n";
  PrintModels(models);
  PrintStructure(graph, structure);
  if (measured != nullptr) {
    PrintMeasured(graph, structure, *measured);
  }
}

void PrintCheckJson(const graph::CheckedGraph& graph, const RuntimeFlags& flags, const Measured* measured) {
  const graph::Structure structure = graph::StructureOf(graph);
  nlohmann::ordered_json json = {{"pipeline", graph.name},
                                 {"notes", NotesOf(graph, flags.ToModelFiles())},
                                 {"models", ModelsJson(MemoryOfModels(graph, flags))}};
  json.update(StructureJson(graph, structure));
  if (measured != nullptr) {
    json["measured"] = MeasuredJson(graph, structure, *measured);
  }
  std::cout << json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
}

int RunCheck(const Flags& flags) {
  const graph::CheckedGraph graph = CheckPipeline(flags);
  CheckOutputs(graph, flags.file, flags.runtime.ToModelFiles());
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
  print(graph, flags.runtime, measured ? &*measured : nullptr);
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
  AddContextFlags(*verb, &flags->runtime);
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
