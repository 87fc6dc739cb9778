// SPDX-License-Identifier: Apache-2.0
#include "graph/node/registry.h"

#include <stdexcept>
#include <utility>

namespace percept::graph {

void Registry::Register(NodeType type) {
  ValidateContract(type.contract);
  std::string name = type.contract.type;
  if (types_.count(name)) throw std::logic_error("node type '" + name + "' is registered twice");
  types_.emplace(std::move(name), std::move(type));
}

void Registry::Register(Contract contract, NodeFactory make, NodeCheck check) {
  Register({.contract = std::move(contract), .make = std::move(make), .check = std::move(check)});
}

const NodeType* Registry::Find(const std::string& type) const {
  auto it = types_.find(type);
  return it == types_.end() ? nullptr : &it->second;
}

std::vector<std::string> Registry::Types() const {
  std::vector<std::string> types;
  for (const auto& [type, entry] : types_) types.push_back(type);
  return types;
}

}  // namespace percept::graph
