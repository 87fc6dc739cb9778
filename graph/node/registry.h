// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "graph/node/contract.h"
#include "graph/node/node.h"

namespace percept::graph {

using NodeFactory = std::function<std::unique_ptr<Node>(const ParamValues& params, const Services& services)>;

// A check that needs several parameters or the names of the inputs at once (a prompt that names ports). Runs before
// anything starts; throws DefinitionError, with the position of a Value or of params.PositionOf(name).
using NodeCheck = std::function<void(const ParamValues& params, const std::vector<std::string>& input_ports)>;

struct NodeType {
  Contract contract;
  NodeFactory make;
  NodeCheck check;  // may be empty
};

// The node types a program has. Filled once, then only read.
class Registry {
 public:
  // Throws std::logic_error: a type twice, or a contract that ValidateContract refuses.
  void Register(Contract contract, NodeFactory make, NodeCheck check = {});

  // nullptr where there is none.
  const NodeType* Find(const std::string& type) const;
  // Sorted.
  std::vector<std::string> Types() const;

 private:
  std::map<std::string, NodeType> types_;
};

}  // namespace percept::graph
