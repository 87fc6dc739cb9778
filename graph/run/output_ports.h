// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "graph/node/contract.h"
#include "graph/packet/packet.h"
#include "graph/queue/edge.h"
#include "graph/run/observer.h"

namespace percept::graph {

// The sending side of one node: ports, their bounds and sequence numbers, and the edges that read them. A packet that
// does not fit on a full edge is staged here, one an edge at most (errors apart), and the node does not run until it is
// gone.
class OutputPorts {
 public:
  OutputPorts(const std::string& node, const std::vector<OutputPort>& ports, Observer* observer);
  // Before the run: `edge` reads port number `port_idx`.
  void Connect(size_t port_idx, Edge& edge) { ports_[port_idx].branches.push_back({&edge, {}}); }

  // What Send found.
  enum class Order { kInOrder, kTooEarly };
  // kTooEarly: not sent and left as it is, the port's bound has passed it. Throws std::logic_error: no such port,
  // another payload type than the port's, no room, an ended port.
  Order Send(std::string_view port, Packet& packet);
  // An error packet on every port, on one port; later than asked for where a bound has passed its time.
  void SendError(const Packet& error);
  void SendError(std::string_view port, Packet error);

  bool CanSend(std::string_view port) const;
  bool IsRead(std::string_view port) const { return !Find(port).branches.empty(); }
  Time BoundOf(std::string_view port) const { return Find(port).bound; }
  void RaiseBound(std::string_view port, Time bound) { Raise(Find(port), bound); }
  void RaiseBounds(Time bound);

  // Moves staged packets on; true when none is left.
  bool FlushStaged();
  // FlushStaged, and every edge has room for a packet. When false, the edges' producer will be told.
  bool HasRoom();
  // Lets go of the staged packets.
  void Drop();
  // The first edge in the way of HasRoom(), nullptr where there is none.
  const Edge* FullEdge() const;
  uint64_t num_sent() const { return num_sent_; }

 private:
  struct Branch {
    Edge* edge;
    std::deque<Packet> staged;
  };
  struct Port {
    std::string name;
    TypeName type;
    bool many_per_time;
    const PayloadType* seen_type = nullptr;  // the last one that passed the check by name
    Time bound = Time::Min();
    uint64_t next_sequence = 0;
    std::vector<Branch> branches;
  };

  const Port& Find(std::string_view name) const;
  Port& Find(std::string_view name) { return const_cast<Port&>(std::as_const(*this).Find(name)); }
  void CheckType(Port& port, const Packet& packet) const;
  void Raise(Port& port, Time bound);
  void Put(Port& port, Packet packet);
  void PutError(Port& port, Packet error);
  void PutOnBranch(const Port& port, Branch& branch, Packet packet);
  void Trace(const Port& port, Time time, uint64_t trace_id, Edge::Level level) const;

  const std::string& node_;
  Observer* const observer_;
  std::vector<Port> ports_;
  const Edge* full_edge_ = nullptr;
  uint64_t num_sent_ = 0;
};

}  // namespace percept::graph
