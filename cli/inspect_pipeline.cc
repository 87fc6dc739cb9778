// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/quantity.h"
#include "cli/set_flags.h"
#include "engine/model.h"
#include "graph/config/checked_graph.h"
#include "graph/queue/edge_limits.h"
#include "nodes/register_nodes.h"

namespace percept::cli {
namespace {

struct Flags {
  std::string file, model;
  std::vector<std::string> sets;
};

// Paths and texts that a run must be given get a stand-in, so that a file can be checked by itself.
graph::Arguments ArgumentsFor(const Flags& flags) {
  graph::Arguments arguments = ParseSets(flags.sets);
  for (const graph::ParamDecl& param : graph::LoadPipeline(flags.file).params) {
    const bool can_stand_in = param.type == graph::ParamType::kPath || param.type == graph::ParamType::kString;
    if (param.required && can_stand_in && arguments.values.count(param.name) == 0) {
      arguments.values[param.name] = {"<" + param.name + ">"};
    }
  }
  arguments.implied["model"] = ResolveModel(flags.model).string();
  return arguments;
}

graph::CheckedGraph CheckPipeline(const Flags& flags) {
  graph::Registry registry;
  nodes::RegisterNodes(&registry);
  return graph::CheckFile(flags.file, registry, ArgumentsFor(flags));
}

// The models that nodes run, each once, with the nodes that share it.
std::map<std::string, std::string> ModelsOf(const graph::CheckedGraph& graph, const std::string& default_model) {
  std::map<std::string, std::string> nodes_of;
  for (const graph::CheckedNode& node : graph.nodes) {
    if (node.contract.FindParam("model") == nullptr) {
      continue;
    }
    std::string& nodes = nodes_of[node.params.Has("model") ? node.params.Get<std::string>("model") : default_model];
    nodes += (nodes.empty() ? "" : ", ") + node.name;
  }
  return nodes_of;
}

void PrintMemory(const graph::CheckedGraph& graph, const std::string& default_model) {
  std::cout << "memory, at most\n";
  for (const auto& [path, nodes] : ModelsOf(graph, default_model)) {
    const ModelCard card = Model::Inspect(path);
    const EngineMemory engine = MemoryOf(card.text, {});
    std::cout << "  model of " << nodes << ": " << Bytes(card.file_bytes) << " of weights (" << path << ")\n"
              << "    keys and values: " << Bytes(engine.sequence_bytes) << " for a prompt and answer of "
              << engine.context_tokens << " tokens, " << Bytes(engine.kv_limit_bytes) << " for all at work\n"
              << "    scratch of a decoder step: " << Bytes(engine.step_bytes) << "\n";
  }
  for (const graph::CheckedNode& node : graph.nodes) {
    std::cout << "  node " << node.name << " (" << node.contract.type << "): ";
    if (node.contract.source != graph::SourceKind::kNone) {
      std::cout << node.in_flight << " items at work at once\n";
    } else if (node.contract.state.items == 0 && node.contract.state.bytes == 0) {
      std::cout << "keeps nothing between items\n";
    } else {
      std::cout << "keeps " << node.contract.state.items << " items, " << Bytes(node.contract.state.bytes) << "\n";
    }
  }
  const graph::EdgeLimits limits;
  for (const graph::CheckedEdge& edge : graph.edges) {
    std::cout << "  edge " << graph.EdgeName(edge) << " (" << edge.type << "): " << limits.packets << " packets, "
              << Bytes(static_cast<int64_t>(limits.bytes)) << "\n";
  }
}

CLI::App* AddFileVerb(CLI::App& app, const std::string& name, const std::string& description,
                      const std::shared_ptr<Flags>& flags) {
  CLI::App* verb = app.add_subcommand(name, description);
  verb->add_option("file", flags->file, "pipeline to look at; nothing is run")->required()->type_name("FILE");
  verb->add_option("--model", flags->model, "folder of a checkpoint")->type_name("PATH");
  AddSetFlags(*verb, &flags->sets);
  return verb;
}

}  // namespace

void AddCheck(CLI::App& app, Action* action) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = AddFileVerb(app, "check", "Check a pipeline file: names, types, ports nobody reads, memory", flags);
  verb->footer("Example:\n  percept check pipelines/ocr.yaml --set budget=280");
  verb->callback([flags, action] {
    *action = [flags] {
      const graph::CheckedGraph graph = CheckPipeline(*flags);
      std::cout << graph.name << ": " << graph.nodes.size() << " nodes, " << graph.edges.size() << " edges\n";
      for (const std::string& warning : graph.warnings) {
        std::cout << "note: " << warning << "\n";
      }
      PrintMemory(graph, ResolveModel(flags->model).string());
      return kAllDone;
    };
  });
}

void AddGraph(CLI::App& app, Action* action) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = AddFileVerb(app, "graph", "Draw a pipeline file as a Mermaid flowchart", flags);
  verb->footer("Example:\n  percept graph pipelines/ocr.yaml > ocr.mmd");
  verb->callback([flags, action] {
    *action = [flags] {
      std::cout << graph::ToMermaid(CheckPipeline(*flags));
      return kAllDone;
    };
  });
}

}  // namespace percept::cli
