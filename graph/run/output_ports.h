// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/node/contract.h"
#include "graph/node/port_name.h"
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

  bool CanSend(std::string_view port) const { return CanSend(Find(port)); }
  // There are readers, and all have closed their edges. From any thread.
  bool HasLostItsReaders() const;
  bool IsRead(std::string_view port) const { return !Find(port).branches.empty(); }
  Time BoundOf(std::string_view port) const { return Find(port).bound; }
  void RaiseBound(std::string_view port, Time bound) { Raise(Find(port), bound); }
  void RaiseBounds(Time bound);
  // Raises all bounds past everything sent so far, and returns where they then stand.
  Time EndTime();

  // Raises all bounds to the latest of them, or to `at` where that is later, and returns it. The next packet on every
  // port gets the Packet::Flags `flags`.
  Time StartEpoch(Time at, uint8_t flags);

  // Moves staged packets on; true when none is left.
  bool FlushStaged() { return num_staged_ == 0 || FlushAllStaged(); }
  // FlushStaged, and every edge has room for a packet. When false, the edges' producer will be told.
  bool HasRoom() { return has_room_ || LookForRoom(); }
  // HasRoom, as far as it is known without looking.
  bool has_room() const { return has_room_; }
  bool has_staged() const { return num_staged_ > 0; }
  // The staged packets.
  std::vector<Packet> Staged() const;
  // Lets go of the staged packets.
  void Drop();
  // The latest bound of an output; Min() where there is none.
  Time LatestBound() const;
  // The first edge in the way of HasRoom(), nullptr where there is none. Asks for nothing.
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
    uint8_t next_flags = 0;  // of the next packet
    std::vector<Branch> branches;
  };

  const Port& Find(std::string_view name) const {
    for (const Port& port : ports_) {
      if (IsSamePort(port.name, name)) return port;
    }
    ThrowNoPort(name);
  }
  [[noreturn]] static void ThrowNoPort(std::string_view name);
  Port& Find(std::string_view name) { return const_cast<Port&>(std::as_const(*this).Find(name)); }
  void CheckType(Port& port, const Packet& packet) const {
    if (packet.empty() || (port.seen_type != &packet.type() && !packet.is_error())) CheckNewType(port, packet);
  }
  // Of a type that was not the last one to pass.
  static void CheckNewType(Port& port, const Packet& packet);
  void Raise(Port& port, Time bound);
  bool CanSend(const Port& port) const {
    return num_staged_ == 0 || std::all_of(port.branches.begin(), port.branches.end(),
                                           [](const Branch& branch) { return branch.staged.empty(); });
  }
  void Put(Port& port, Packet&& packet);
  bool LookForRoom();
  bool FlushAllStaged();
  void PutError(Port& port, Packet error);
  void PutOnBranch(const Port& port, Branch& branch, Packet&& packet);
  void Trace(const Port& port, const Edge& edge, Time time, uint64_t trace_id, Edge::Level level) const;

  const std::string& node_;
  Observer* const observer_;
  std::vector<Port> ports_;
  uint64_t num_sent_ = 0;
  size_t num_staged_ = 0;  // packets, on all branches
  bool has_room_ = false;  // on every edge, as far as one knows without asking them
};

}  // namespace percept::graph
