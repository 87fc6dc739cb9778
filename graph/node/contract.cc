// SPDX-License-Identifier: Apache-2.0
#include "graph/node/contract.h"

#include <set>
#include <stdexcept>

namespace percept::graph {
namespace {

template <class T>
const T* FindByName(const std::vector<T>& list, const std::string& name) {
  for (const T& entry : list) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

[[noreturn]] void Refuse(const Contract& contract, const std::string& reason) {
  throw std::logic_error("contract of node type '" + contract.type + "': " + reason);
}

template <class T>
void CheckNames(const Contract& contract, const std::vector<T>& list, const char* what) {
  std::set<std::string> seen;
  for (const T& entry : list) {
    if (entry.name.empty()) Refuse(contract, std::string("an ") + what + " without a name");
    if (entry.name.find('.') != std::string::npos) Refuse(contract, "a dot in the name '" + entry.name + "'");
    if (!seen.insert(entry.name).second) Refuse(contract, std::string(what) + " '" + entry.name + "' twice");
    if (entry.doc.empty()) Refuse(contract, std::string(what) + " '" + entry.name + "' without a doc");
  }
}

void CheckParams(const Contract& contract) {
  CheckNames(contract, contract.params, "parameter");
  for (const ParamDecl& param : contract.params) {
    if (param.name == "type" || param.name == "in" || param.name == "in_flight") {
      Refuse(contract, "parameter '" + param.name + "' is a key of the graph itself");
    }
    if (param.type == ParamType::kEnum && param.values.empty()) {
      Refuse(contract, "enum '" + param.name + "' without values");
    }
    if (param.required && param.default_value) Refuse(contract, "'" + param.name + "' is required and has a default");
    if (!param.default_value) continue;
    try {
      ParseParam(param, *param.default_value);
    } catch (const DefinitionError& error) {
      Refuse(contract, std::string("the default of a parameter is not valid: ") + error.what());
    }
  }
}

}  // namespace

const OutputPort* Contract::FindOutput(const std::string& name) const { return FindByName(outputs, name); }
const InputPort* Contract::FindInput(const std::string& name) const { return FindByName(inputs, name); }
const ParamDecl* Contract::FindParam(const std::string& name) const { return FindByName(params, name); }

void ValidateContract(const Contract& contract) {
  if (contract.type.empty()) Refuse(contract, "no type name");
  if (contract.doc.empty()) Refuse(contract, "no doc");
  if (contract.example.empty()) Refuse(contract, "no example");
  const bool has_inputs = !contract.inputs.empty() || contract.dynamic_inputs;
  if (contract.source != SourceKind::kNone && has_inputs) Refuse(contract, "a source with inputs");
  if (contract.source == SourceKind::kNone && !has_inputs) Refuse(contract, "no inputs, and not a source");
  if (!contract.inputs.empty() && contract.dynamic_inputs) Refuse(contract, "inputs of its own and of the pipeline's");
  if (contract.source != SourceKind::kNone && contract.in_flight < 1) Refuse(contract, "in_flight below 1");
  CheckNames(contract, contract.inputs, "input");
  CheckNames(contract, contract.outputs, "output");
  for (const OutputPort& port : contract.outputs) {
    if (port.type.empty()) Refuse(contract, "output '" + port.name + "' without a type");
  }
  CheckParams(contract);
}

}  // namespace percept::graph
