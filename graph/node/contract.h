// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graph/node/params.h"

namespace percept::graph {

// A payload type's name ("Image"), or a list of one ("VideoFrame[]").
using TypeName = std::string;

struct InputPort {
  std::string name;
  std::vector<TypeName> types;  // what it accepts; empty: any payload
  std::string doc;
  bool required = true;
};

struct OutputPort {
  std::string name;
  TypeName type;
  std::string doc;
  // Several packets may share a timestamp (streamed text). Elsewhere a packet moves the bound just past its time; here
  // it moves it up to its time, and past it when the item is done.
  bool many_per_time = false;
};

// A node type whose inputs are named by the pipeline: each key of the `in:` map is a port. A plain `in: node.port`
// makes one port called `single_name`.
struct DynamicInputs {
  std::vector<TypeName> types;
  std::string doc;
  std::string single_name = "in";
};

enum class SourceKind { kNone, kBatch, kLive };

// What a node may keep between sets beside work that is pending, at most. All zero: nothing.
struct StateBound {
  int64_t items = 0;
  int64_t bytes = 0;
};

// Everything the rest of the project knows of a node type: validation, running, `percept nodes` and the reference read
// this and nothing else. Declare it with designated initialisers.
struct Contract {
  std::string type;     // "encode.vision"
  std::string doc;      // one line
  std::string example;  // the node's YAML as a user would write it
  std::vector<InputPort> inputs;
  std::optional<DynamicInputs> dynamic_inputs;  // instead of `inputs`
  std::vector<OutputPort> outputs;
  std::vector<ParamDecl> params;
  SourceKind source = SourceKind::kNone;  // a node without inputs
  int64_t in_flight = 4;                  // sources: items at work at once, unless the pipeline's `in_flight:` says
  StateBound state;
  bool accepts_errors = false;  // Process sees error packets; elsewhere the graph passes them by the node

  const OutputPort* FindOutput(const std::string& name) const;
  const InputPort* FindInput(const std::string& name) const;
  const ParamDecl* FindParam(const std::string& name) const;
};

// Throws std::logic_error where a contract contradicts itself: no type name or doc, a name twice, a default outside its
// own range, a source with inputs, a key that the graph keeps for itself (type, in, in_flight).
void ValidateContract(const Contract& contract);

}  // namespace percept::graph
