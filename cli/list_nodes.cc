// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>

#include "cli/command.h"
#include "graph/node/nearest.h"
#include "graph/node/registry.h"
#include "kernels/core/error.h"
#include "nodes/register_nodes.h"

namespace percept::cli {
namespace {

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : " or ") + name;
  }
  return text.empty() ? "anything" : text;
}

void PrintLine(const std::string& name, const std::string& type, const std::string& doc) {
  std::cout << "  " << name << " (" << type << "): " << doc << "\n";
}

void PrintParam(const graph::ParamDecl& param) {
  std::string type = param.TypeName();
  if (param.required) {
    type += ", required";
  } else if (param.default_value && param.default_value->is_scalar()) {
    type += ", default " + param.default_value->scalar();
  }
  PrintLine(param.name, type, param.doc);
}

void PrintContract(const graph::Contract& contract) {
  std::cout << contract.type << ": " << contract.doc << "\n";
  if (!contract.inputs.empty() || contract.dynamic_inputs) {
    std::cout << "inputs\n";
  }
  for (const graph::InputPort& port : contract.inputs) {
    const std::string types = port.type_param.empty() ? Joined(port.types) : "as `" + port.type_param + "` says";
    PrintLine(port.name, types + (port.required ? "" : ", optional"), port.doc);
  }
  if (contract.dynamic_inputs) {
    PrintLine("as named by `in:`", Joined(contract.dynamic_inputs->types), contract.dynamic_inputs->doc);
  }
  if (!contract.outputs.empty() || contract.dynamic_outputs) {
    std::cout << "outputs\n";
  }
  for (const graph::OutputPort& port : contract.outputs) {
    const std::string type = port.type_param.empty() ? port.type : "as `" + port.type_param + "` says";
    PrintLine(port.name, type + (port.many_per_time ? ", many per item" : ""), port.doc);
  }
  if (contract.dynamic_outputs) {
    PrintLine("one per input", contract.dynamic_outputs->type, contract.dynamic_outputs->doc);
  }
  std::cout << "parameters\n";
  for (const graph::ParamDecl& param : contract.params) {
    PrintParam(param);
  }
  if (contract.source != graph::SourceKind::kNone) {
    PrintLine("in_flight", "int, default " + std::to_string(contract.in_flight), "items at work at once");
  }
  if (contract.output == graph::OutputKind::kAppended) {
    std::cout << "output\n  appended: `percept batch --resume` goes on exactly where it was committed\n";
  }
  std::cout << "example\n  " << contract.example << "\n";
}

int ListNodes(const std::string& type) {
  graph::Registry registry;
  nodes::RegisterNodes(&registry);
  if (type.empty()) {
    size_t width = 0;
    for (const std::string& name : registry.Types()) {
      width = std::max(width, name.size());
    }
    for (const std::string& name : registry.Types()) {
      std::cout << name << std::string(width - name.size() + 2, ' ') << registry.Find(name)->contract.doc << "\n";
    }
    return kAllDone;
  }
  const graph::NodeType* found = registry.Find(type);
  if (found == nullptr) {
    throw ArgumentError("there is no node type '" + type + "'" + graph::NearestNames(type, registry.Types()));
  }
  PrintContract(found->contract);
  return kAllDone;
}

}  // namespace

void AddNodes(CLI::App& app, Action* action) {
  auto type = std::make_shared<std::string>();
  CLI::App* verb = app.add_subcommand("nodes", "List the node types, or tell all about one");
  verb->add_option("type", *type, "node type")->type_name("TYPE");
  verb->footer("Examples:\n  percept nodes\n  percept nodes encode.vision");
  verb->callback([type, action] { *action = [type] { return ListNodes(*type); }; });
}

}  // namespace percept::cli
