// SPDX-License-Identifier: Apache-2.0
#include "graph/config/graph_keys.h"

#include <algorithm>

#include "graph/config/topology.h"
#include "graph/config/wiring.h"
#include "graph/node/nearest.h"

namespace percept::graph {
namespace {

[[noreturn]] void Refuse(const Value::Entry& entry, const CheckedNode& node, const std::string& reason) {
  throw DefinitionError(entry.key_position, "'" + entry.key + "' of node " + NodeLabel(node) + ": " + reason);
}

int64_t ReadCount(const Value::Entry& entry) {
  const ParamDecl decl{.name = entry.key, .type = ParamType::kInt, .min = 1};
  return std::get<int64_t>(ParseParam(decl, entry.value));
}

JoinKind ReadJoinKind(const Value& value, const CheckedNode& node) {
  const std::optional<JoinKind> kind = ParseJoinKind(value.scalar());
  if (kind == JoinKind::kWindow) {
    throw DefinitionError(value.position(), "'join' of node " + NodeLabel(node) +
                                                ": a window is a node of its own, which gives lists: flow.window");
  }
  if (kind) return *kind;
  throw DefinitionError(value.position(), "'join' of node " + NodeLabel(node) + ": there is no join '" +
                                              value.scalar() + "'" +
                                              NearestNames(value.scalar(), {"settled", "latest", "nearest"}));
}

JoinSpec ReadJoinMap(const Value& map, const CheckedNode& node) {
  static const std::vector<ParamDecl> decls = {
      ParamDecl{.name = "kind", .type = ParamType::kString}.Default("settled"),
      {.name = "tolerance", .type = ParamType::kDuration, .min = 0},
      {.name = "max_wait", .type = ParamType::kDuration, .min = 0},
      ParamDecl{.name = "need", .type = ParamType::kEnum, .values = {"all", "any"}}.Default("all")};
  const std::string where = "'join' of node " + NodeLabel(node);
  const ParamValues keys = ReadKeys(map, decls, where);
  JoinSpec join;
  if (const Value* kind = map.Find("kind")) join.kind = ReadJoinKind(*kind, node);
  const bool is_nearest = join.kind == JoinKind::kNearest;
  if (is_nearest && !keys.Has("tolerance"))
    throw DefinitionError(map.position(), where + ": nearest needs a 'tolerance'");
  if (!is_nearest && keys.Has("tolerance")) {
    throw DefinitionError(keys.PositionOf("tolerance"), where + ": only nearest has a 'tolerance'");
  }
  if (is_nearest) join.tolerance = keys.Get<Duration>("tolerance");
  if (keys.Has("max_wait")) join.max_wait = keys.Get<Duration>("max_wait");
  join.need_all = keys.Get<std::string>("need") == "all";
  return join;
}

void ReadJoin(const Value::Entry& entry, size_t num_inputs, CheckedNode& node) {
  if (node.own_join) Refuse(entry, node, "nodes of this type join their inputs in their own way");
  if (num_inputs < 2) Refuse(entry, node, "it has one input, there is nothing to join");
  if (entry.value.is_map()) {
    node.join = ReadJoinMap(entry.value, node);
    return;
  }
  node.join.kind = ReadJoinKind(entry.value, node);
  if (node.join.kind == JoinKind::kNearest) {
    Refuse(entry, node, "nearest needs a tolerance: write { kind: nearest, tolerance: 20ms }");
  }
}

void ReadInFlight(const Value::Entry& entry, CheckedNode& node) {
  if (node.contract.source == SourceKind::kNone) Refuse(entry, node, "only a source starts items");
  node.in_flight = ReadCount(entry);
  node.stated_in_flight = entry.value.position();
}

void ReadRetry(const Value::Entry& entry, CheckedNode& node) {
  static const std::vector<ParamDecl> decls = {{.name = "limit", .type = ParamType::kInt, .min = 0},
                                               {.name = "first", .type = ParamType::kDuration, .min = 1e-6},
                                               {.name = "max", .type = ParamType::kDuration, .min = 1e-6}};
  const ParamValues keys = ReadKeys(entry.value, decls, "'retry' of node " + NodeLabel(node));
  if (keys.Has("limit")) node.retry.limit = keys.Get<int64_t>("limit");
  if (keys.Has("first")) node.retry.first = keys.Get<Duration>("first");
  if (keys.Has("max")) node.retry.max = keys.Get<Duration>("max");
  if (node.retry.first > node.retry.max) Refuse(entry, node, "its first wait is longer than its max");
}

void ReadRestart(const Value::Entry& entry, CheckedNode& node) {
  const bool is_source = node.contract.source != SourceKind::kNone;
  const bool is_sink = node.contract.outputs.empty() && !node.contract.dynamic_outputs;
  if (is_source || is_sink) Refuse(entry, node, "a source or sink that fails stops the graph");
  static const std::vector<ParamDecl> decls = {{.name = "limit", .type = ParamType::kInt, .min = 0},
                                               {.name = "window", .type = ParamType::kDuration, .min = 1e-6}};
  const ParamValues keys = ReadKeys(entry.value, decls, "'restart' of node " + NodeLabel(node));
  if (keys.Has("limit")) node.restart.limit = keys.Get<int64_t>("limit");
  if (keys.Has("window")) node.restart.window = keys.Get<Duration>("window");
}

void ReadParallel(const Value::Entry& entry, CheckedNode& node) {
  if (!node.contract.parallel) Refuse(entry, node, "nodes of this type take their sets one by one");
  // A run that is committed cuts them at the ends of chunks, between two calls of their one instance.
  const bool is_sink = node.contract.outputs.empty() && !node.contract.dynamic_outputs;
  if (is_sink || node.contract.output == OutputKind::kAppended) {
    Refuse(entry, node, "a sink or a node that commits what it writes is one instance");
  }
  node.parallel = ReadCount(entry);
}

}  // namespace

ParamValues ReadKeys(const Value& map, std::span<const ParamDecl> decls, const std::string& where) {
  if (!map.is_map()) {
    throw DefinitionError(map.position(), where + " must be a map, found " + map.kind_name());
  }
  ParamValues values;
  std::vector<std::string> valid;
  for (const ParamDecl& decl : decls) {
    valid.push_back(decl.name);
    if (const Value* value = map.Find(decl.name)) {
      values.Set(decl.name, ParseParam(decl, *value), value->position());
    } else if (decl.required) {
      throw DefinitionError(map.position(), where + " lacks '" + decl.name + "' (" + decl.TypeName() + ")");
    } else if (decl.default_value) {
      values.Set(decl.name, ParseParam(decl, *decl.default_value), map.position());
    }
  }
  RefuseUnknownKeys(map, where, valid);
  return values;
}

bool IsGraphKey(const std::string& key) {
  return std::find(std::begin(kGraphKeys), std::end(kGraphKeys), key) != std::end(kGraphKeys);
}

void ReadGraphKey(const Value::Entry& entry, size_t num_inputs, CheckedNode& node) {
  if (entry.key == "in_flight") return ReadInFlight(entry, node);
  if (entry.key == "join") return ReadJoin(entry, num_inputs, node);
  if (entry.key == "retry") return ReadRetry(entry, node);
  if (entry.key == "restart") return ReadRestart(entry, node);
  ReadParallel(entry, node);
}

void RequireMaxWaits(const CheckedGraph& graph) {
  std::vector<const CheckedNode*> live(graph.nodes.size());  // a live source of each node, null where it has none
  std::vector<std::vector<size_t>> readers(graph.nodes.size());
  for (const CheckedEdge& edge : graph.edges) readers[edge.from_node].push_back(edge.to_node);
  for (size_t node_idx : FlowOrder(graph)) {
    const CheckedNode& node = graph.nodes[node_idx];
    if (node.contract.source == SourceKind::kLive) live[node_idx] = &node;
    for (size_t reader : readers[node_idx]) {
      if (live[node_idx]) live[reader] = live[node_idx];
    }
    if (!live[node_idx] || node.input_ports.size() < 2 || node.join.max_wait) continue;
    if (node.own_join && !node.contract.FindParam("max_wait")) continue;
    if (node.join.kind == JoinKind::kLatest && !node.join.need_all) continue;  // it waits for nobody
    const std::string key = node.own_join ? "max_wait: 1s" : "join: { max_wait: 1s }";
    throw DefinitionError(node.position, "node " + NodeLabel(node) + " joins what comes from the live source '" +
                                             live[node_idx]->name +
                                             "', which may fall silent: say how long it waits, as in " + key);
  }
}

void ReadEdgeLimits(const InputDefinition& input, CheckedEdge& edge) {
  static const std::vector<ParamDecl> decls = {
      {.name = "policy", .type = ParamType::kEnum, .values = DropPolicyWords()},
      {.name = "packets", .type = ParamType::kInt, .min = 1, .max = 1'000'000},
      {.name = "bytes", .type = ParamType::kBytes, .min = 1},
      {.name = "time", .type = ParamType::kDuration, .min = 1e-9}};
  const ParamValues keys = ReadKeys(input.limits, decls, "input '" + input.port + "'");
  if (keys.Has("policy")) {
    edge.limits.policy = *ParseDropPolicy(keys.Get<std::string>("policy"));
    edge.stated.policy = keys.PositionOf("policy");
  }
  if (keys.Has("packets")) {
    edge.limits.packets = static_cast<size_t>(keys.Get<int64_t>("packets"));
    edge.stated.packets = keys.PositionOf("packets");
  }
  if (keys.Has("bytes")) {
    edge.limits.bytes = static_cast<size_t>(keys.Get<int64_t>("bytes"));
    edge.stated.bytes = keys.PositionOf("bytes");
  }
  if (keys.Has("time")) {
    edge.limits.time = keys.Get<Duration>("time");
    edge.stated.time = keys.PositionOf("time");
  }
}

}  // namespace percept::graph
