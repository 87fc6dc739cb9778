// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>

#include "graph/node/params.h"
#include "graph/node/services.h"
#include "nodes/app/app_sink.h"
#include "nodes/app/app_source.h"

namespace percept::nodes {

// The ends of a graph that a program holds, by name; lent to the graph's nodes:
//   AppSource<Image> frames("frames");
//   AppSink<Record> answers("answers");
//   AppPorts ports;
//   ports.Lend(frames);
//   ports.Lend(answers);
//   graph::Services services = runtime.services();
//   services.Add(ports);
//   graph::Graph graph(checked, runtime.executor(), services);
// Each end serves one node of one graph, once. Filled before the graph is made, then only read; outlives the graph.
class AppPorts {
 public:
  // Throw ArgumentError where another end of this kind has the name.
  template <class T>
  void Lend(const AppSource<T>& source) {
    Add(source.queue(), &sources_);
  }
  template <class T>
  void Lend(const AppSink<T>& sink) {
    Add(sink.queue(), &sinks_);
  }

  // For the nodes: all that is lent of one kind.
  using Sources = std::map<std::string, std::shared_ptr<AppSourceQueue>>;
  using Sinks = std::map<std::string, std::shared_ptr<AppSinkQueue>>;
  const Sources& all(const AppSourceQueue*) const { return sources_; }
  const Sinks& all(const AppSinkQueue*) const { return sinks_; }

 private:
  template <class Queue>
  void Add(const std::shared_ptr<Queue>& queue, std::map<std::string, std::shared_ptr<Queue>>* all) {
    if (!all->emplace(queue->name(), queue).second) RefuseSecond(queue->name());
  }
  [[noreturn]] static void RefuseSecond(const std::string& name);

  Sources sources_;
  Sinks sinks_;
};

// What the program lent under the node's `name`, for its `payload`. Throws DefinitionError at the parameter: nothing of
// that name, or one of another payload.
template <class Queue>
std::shared_ptr<Queue> FindAppPort(const graph::ParamValues& params, const graph::Services& services);

}  // namespace percept::nodes
