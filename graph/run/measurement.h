// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph/config/checked_graph.h"
#include "graph/node/clock.h"
#include "graph/run/observer.h"

namespace percept::graph {

// Times of one kind. Median and 95th percentile are exact up to 65536 of them, and then of an even choice.
struct TimeSpread {
  uint64_t num = 0;
  Duration total{}, median{}, p95{}, max{};
};

// Where the time of a run went.
struct MeasuredRun {
  struct OfNode {
    TimeSpread process;  // in Process, a set; of sources a call
    // From the first call with a set until its last, and until the last packet at its time was sent: work that is
    // pending elsewhere counts. Of sources as `process`.
    TimeSpread through;
    // The part of the run in which it was at a set; of a node with N instances, an N-th of what they took together.
    double busy = 0;
  };
  struct OfWay {
    size_t source = 0, sink = 0;
    // From where the source sent the first packet of an item to where the sink took one of that name, errors apart: a
    // list has that of one of its items.
    TimeSpread latency;
  };

  uint64_t num_items = 0;         // that sources sent
  Duration duration{};            // from the first call of a node to the last event
  std::vector<OfNode> nodes;      // as in CheckedGraph::nodes
  std::vector<TimeSpread> edges;  // as in CheckedGraph::edges: how long packets waited on each
  std::vector<OfWay> ways;        // from each source to each sink that something came to, in the order of the nodes
  std::optional<size_t>
      limiting;  // the busiest node, of those about as busy the nearest to a sink; none if none was busy
};

// Measures a run: give it to GraphOptions::observer. Each event costs a lock and a look at the clock.
class Measurement : public Observer {
 public:
  // `graph` and `clock` outlive the measurement; `next`, which may be null, sees every event too.
  Measurement(const CheckedGraph& graph, const Clock& clock, Observer* next = nullptr);
  ~Measurement() override;

  void OnEvent(const TraceEvent& event) override;
  // After the run.
  MeasuredRun Result() const;

 private:
  class Samples;
  class OfNode;
  struct OfEdge;
  struct Item {
    size_t source;
    Duration sent_at;
  };

  void OnEventOf(size_t node, const TraceEvent& event, Duration now);
  std::optional<size_t> FindEdge(const TraceEvent& event) const;
  void OnSent(size_t node, const TraceEvent& event, Duration now);
  void OnReceived(size_t node, const TraceEvent& event, Duration now);
  // Where `node` is a sink that took a packet of an item.
  void AddWay(size_t node, const TraceEvent& event, Duration now);
  void FindLimiting(MeasuredRun& run) const;

  const CheckedGraph& graph_;
  const Clock& clock_;
  Observer* const next_;
  mutable std::mutex mutex_;
  std::map<std::string, size_t, std::less<>> node_idx_, edge_idx_;
  std::vector<OfNode> nodes_;
  std::vector<OfEdge> edges_;
  std::map<uint64_t, Item> items_;  // by trace id; the newest of them
  std::map<std::pair<size_t, size_t>, Samples> ways_;
  uint64_t num_items_ = 0;
  std::optional<Duration> begin_;
  Duration end_;
};

}  // namespace percept::graph
