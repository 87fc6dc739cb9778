// SPDX-License-Identifier: Apache-2.0
#include "nodes/app/app_ports.h"

#include <type_traits>
#include <vector>

#include "graph/node/nearest.h"
#include "graph/node/position.h"
#include "kernels/core/error.h"

namespace percept::nodes {

void AppPorts::RefuseSecond(const std::string& name) {
  throw ArgumentError("two sources, or two sinks, are lent under the name '" + name + "'");
}

template <class Queue>
std::shared_ptr<Queue> FindAppPort(const graph::ParamValues& params, const graph::Services& services) {
  const std::string kind = std::is_same_v<Queue, AppSourceQueue> ? "source" : "sink";
  const auto& name = params.Get<std::string>("name");
  const auto& payload = params.Get<std::string>("payload");
  const auto* ports = services.Find<AppPorts>();
  if (ports == nullptr) {
    throw graph::DefinitionError(params.PositionOf("name"), "this program lends no " + kind + "s, so none named '" +
                                                                name + "': the node is for programs that do");
  }
  const auto& all = ports->all(static_cast<const Queue*>(nullptr));
  const auto found = all.find(name);
  if (found == all.end()) {
    std::vector<std::string> names;
    for (const auto& [lent_name, queue] : all) names.push_back(lent_name);
    throw graph::DefinitionError(params.PositionOf("name"),
                                 "the program lends no " + kind + " '" + name + "'" + graph::NearestNames(name, names));
  }
  if (found->second->type().name != payload) {
    throw graph::DefinitionError(params.PositionOf("payload"), "the program's " + kind + " '" + name + "' is for " +
                                                                   found->second->type().name + ", not " + payload);
  }
  return found->second;
}

template std::shared_ptr<AppSourceQueue> FindAppPort(const graph::ParamValues&, const graph::Services&);
template std::shared_ptr<AppSinkQueue> FindAppPort(const graph::ParamValues&, const graph::Services&);

}  // namespace percept::nodes
