// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/node/params.h"
#include "graph/packet/time.h"

namespace percept::graph {

// A payload type's name ("Image"), or a list of one ("VideoFrame[]").
using TypeName = std::string;

struct InputPort {
  std::string name;
  std::vector<TypeName> types;  // what it accepts; empty: any payload
  std::string doc;
  bool required = true;
  std::string type_param{};  // instead of `types`: the string parameter that says what it accepts
};

struct OutputPort {
  std::string name;
  // Or "$in": what comes on the input `in`; "$in[]": a list of it. Where the pipeline names the inputs, "$" with their
  // single_name stands for the one type that all of them have.
  TypeName type;
  std::string doc;
  // Several packets may share a timestamp (streamed text). Elsewhere a packet moves the bound just past its time; here
  // it moves it up to its time, and past it when the item is done.
  bool many_per_time = false;
  // The string parameter that says it, instead of `type`; beside one, where the pipeline gives that parameter.
  std::string type_param{};
};

// A node type whose inputs are named by the pipeline: each key of the `in:` map is a port. A plain `in: node.port`
// makes one port called `single_name`.
struct DynamicInputs {
  std::vector<TypeName> types;
  std::string doc;
  std::string single_name = "in";
  bool grows = false;  // more may be connected while the graph runs
  // An input of this name may be of any type where the others must all be of one; "": there is no such input.
  std::string control = {};
  // Where the pipeline gives this string parameter, it says the one type that the inputs accept.
  std::string type_param = {};
};

// A node type with an output for each input that the pipeline names, of the same name; `single_name` where the only
// one is that of a plain `in: node.port`. In `type`, "$in" is what comes on that input.
struct DynamicOutputs {
  TypeName type;
  std::string doc;
  std::string single_name = "out";
};

enum class SourceKind { kNone, kBatch, kLive };

// What a node leaves outside the graph, and so what an interrupted run can promise of it.
enum class OutputKind {
  kNone,
  kAppended,  // a file that only grows: Node::Commit says how far; a run that resumes cuts it back to there
  kBuilt,     // a file put in place whole at the end
  kSent,      // messages, each sent at least once
};

// How a node that keeps something between sets gets it back in a run that resumes.
enum class StateKind {
  kNone,     // keeps nothing that matters
  kRebuild,  // from the input it had: the run starts over
  kSaved,    // Node::SaveState and RestoreState
};

// What a node may keep between sets beside work that is pending, at most. A zero does not limit that measure; all zero:
// nothing.
struct StateBound {
  int64_t items = 0;
  int64_t bytes = 0;
  Duration time{};
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
  std::optional<DynamicOutputs> dynamic_outputs;  // instead of `outputs`; needs dynamic_inputs
  std::vector<ParamDecl> params;
  SourceKind source = SourceKind::kNone;  // a node without inputs
  int64_t in_flight = 4;                  // sources: items at work at once, unless the pipeline's `in_flight:` says
  StateBound state;
  StateKind state_kind = StateKind::kNone;
  OutputKind output = OutputKind::kNone;
  // Sources: Process runs on a thread of its own and may wait there, until Node::Interrupt. One that waits on is left
  // behind when the run ends, see GraphOptions::abandon_after: then its NodeContext throws, Close is not called, and
  // the node is destroyed when Process has returned.
  bool own_thread = false;
  // Sources: after Node::Interrupt a drain goes on asking until Process answers kFinished, for what was accepted
  // before.
  bool drains = false;
  bool parallel = false;        // may be run as several instances, which take sets in turn
  bool accepts_errors = false;  // Process sees error packets; elsewhere the graph passes them by the node

  const OutputPort* FindOutput(const std::string& name) const;
  const InputPort* FindInput(const std::string& name) const;
  const ParamDecl* FindParam(const std::string& name) const;
};

// The input that an output's type "$in" or "$in[]" names; nothing for a type of its own.
std::optional<std::string> InputOfType(const TypeName& type);

// The keys of a node in a pipeline that mean the same for every type.
inline constexpr std::string_view kGraphKeys[] = {"type", "use",   "in",      "in_flight",
                                                  "join", "retry", "restart", "parallel"};

// Throws std::logic_error where a contract contradicts itself: no type name or doc, a name twice, a default outside its
// own range, a source with inputs, an output of the type of an input that there is not, a key that the graph keeps for
// itself (kGraphKeys).
void ValidateContract(const Contract& contract);

}  // namespace percept::graph
