// SPDX-License-Identifier: Apache-2.0
#include "graph/node/contract.h"

#include <algorithm>
#include <iterator>
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
    if (std::find(std::begin(kGraphKeys), std::end(kGraphKeys), param.name) != std::end(kGraphKeys)) {
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

// "$in" and "$in[]" name an input.
void CheckOutputType(const Contract& contract, const std::string& output, const TypeName& type) {
  if (type.empty()) Refuse(contract, "output '" + output + "' without a type");
  const std::optional<std::string> input = InputOfType(type);
  if (!input) return;
  const bool is_known =
      contract.dynamic_inputs ? *input == contract.dynamic_inputs->single_name : contract.FindInput(*input) != nullptr;
  if (!is_known) Refuse(contract, "output '" + output + "' has the type of '" + *input + "', which is no input");
}

// `is_only`: nothing else says the type.
void CheckTypeParam(const Contract& contract, const std::string& port, const std::string& type_param, bool is_only) {
  const ParamDecl* param = contract.FindParam(type_param);
  const bool is_text = param && param->type == ParamType::kString && !param->is_list;
  if (is_text && (!is_only || param->required || param->default_value)) return;
  Refuse(contract, "the type of '" + port + "' is said by '" + type_param + "', which is no string parameter" +
                       (is_only ? " that always has a value" : ""));
}

void CheckInputs(const Contract& contract) {
  CheckNames(contract, contract.inputs, "input");
  for (const InputPort& port : contract.inputs) {
    if (!port.type_param.empty()) CheckTypeParam(contract, port.name, port.type_param, /*is_only=*/true);
  }
  if (!contract.dynamic_inputs) return;
  const DynamicInputs& inputs = *contract.dynamic_inputs;
  if (!inputs.type_param.empty()) {
    CheckTypeParam(contract, inputs.single_name, inputs.type_param, /*is_only=*/false);
  }
  if (inputs.grows && contract.dynamic_outputs) Refuse(contract, "inputs that grow, and an output for each");
}

void CheckOutputs(const Contract& contract) {
  CheckNames(contract, contract.outputs, "output");
  for (const OutputPort& port : contract.outputs) {
    const bool has_param = !port.type_param.empty();
    if (has_param) CheckTypeParam(contract, port.name, port.type_param, /*is_only=*/port.type.empty());
    if (!has_param || !port.type.empty()) CheckOutputType(contract, port.name, port.type);
  }
  if (!contract.dynamic_outputs) return;
  if (!contract.dynamic_inputs) Refuse(contract, "an output per input, but inputs of its own");
  if (!contract.outputs.empty()) Refuse(contract, "outputs of its own and of the pipeline's");
  CheckOutputType(contract, contract.dynamic_outputs->single_name, contract.dynamic_outputs->type);
}

}  // namespace

std::optional<std::string> InputOfType(const TypeName& type) {
  if (type.empty() || type[0] != '$') return std::nullopt;
  return type.substr(1, type.ends_with("[]") ? type.size() - 3 : std::string::npos);
}

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
  if (contract.source == SourceKind::kNone && contract.own_thread)
    Refuse(contract, "a thread of its own, and not a source");
  if (contract.source == SourceKind::kNone && contract.drains) Refuse(contract, "drains, and is no source");
  if (contract.source != SourceKind::kNone && contract.state_kind == StateKind::kSaved) {
    Refuse(contract, "a source that saves its state: it goes on from its chunks");
  }
  const bool has_bound = contract.state.items != 0 || contract.state.bytes != 0 || contract.state.time != Duration();
  if (contract.parallel &&
      (contract.source != SourceKind::kNone || has_bound || contract.state_kind != StateKind::kNone)) {
    Refuse(contract, "parallel, but a source or a node that keeps something between sets");
  }
  CheckInputs(contract);
  CheckOutputs(contract);
  CheckParams(contract);
}

}  // namespace percept::graph
