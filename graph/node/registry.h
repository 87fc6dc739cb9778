// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "graph/node/contract.h"
#include "graph/node/node.h"
#include "graph/node/timing.h"
#include "graph/queue/join_spec.h"

namespace percept::graph {

using NodeFactory = std::function<std::unique_ptr<Node>(const ParamValues& params, const Services& services)>;

// A check that needs several parameters or the names of the inputs at once (a prompt that names ports). Runs before
// anything starts; throws DefinitionError, with the position of a Value or of params.PositionOf(name).
using NodeCheck = std::function<void(const ParamValues& params, const std::vector<std::string>& input_ports)>;

// All but `contract` and `make` may be empty.
struct NodeType {
  Contract contract;
  NodeFactory make;
  NodeCheck check = {};
  // What depends on the parameters: how much the node keeps (instead of contract.state), how it joins its inputs (the
  // pipeline then may not say), what it holds back.
  std::function<StateBound(const ParamValues& params)> state = {};
  std::function<JoinSpec(const ParamValues& params)> join = {};
  std::function<Timing(const ParamValues& params)> timing = {};
};

// The node types a program has. Filled once, then only read.
class Registry {
 public:
  // Throws std::logic_error: a type twice, or a contract that ValidateContract refuses.
  //   registry.Register({.contract = ..., .make = ..., .timing = ...});
  void Register(NodeType type);
  void Register(Contract contract, NodeFactory make, NodeCheck check = {});

  // nullptr where there is none.
  const NodeType* Find(const std::string& type) const;
  // Sorted.
  std::vector<std::string> Types() const;

 private:
  std::map<std::string, NodeType> types_;
};

}  // namespace percept::graph
