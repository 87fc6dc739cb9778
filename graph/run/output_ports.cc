// SPDX-License-Identifier: Apache-2.0
#include "graph/run/output_ports.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace percept::graph {

OutputPorts::OutputPorts(const std::string& node, const std::vector<OutputPort>& ports, Observer* observer)
    : node_(node), observer_(observer) {
  for (const OutputPort& port : ports) {
    Port state;
    state.name = port.name;
    state.type = port.type;
    state.many_per_time = port.many_per_time;
    ports_.push_back(std::move(state));
  }
}

void OutputPorts::ThrowNoPort(std::string_view name) {
  throw std::logic_error("the node's contract declares no output '" + std::string(name) + "'");
}

void OutputPorts::CheckNewType(Port& port, const Packet& packet) {
  if (packet.empty()) throw std::logic_error("an empty packet was sent on output '" + port.name + "'");
  if (port.type != packet.type().name) {
    throw std::logic_error("output '" + port.name + "' is declared as " + port.type + ", but a packet of type " +
                           packet.type().name + " was sent on it");
  }
  // The type of a list lives as long as its packet; the others are there for good.
  if (!packet.type().is_list) port.seen_type = &packet.type();
}

void OutputPorts::Trace(const Port& port, const Edge& edge, Time time, uint64_t trace_id, Edge::Level level) const {
  if (!observer_) return;
  observer_->OnEvent({TraceKind::kSent, node_, port.name, time, trace_id, level.packets, level.bytes, edge.name()});
}

inline void OutputPorts::PutOnBranch(const Port& port, Branch& branch, Packet&& packet) {
  const Time time = packet.timestamp();
  const uint64_t trace_id = packet.origin().trace_id;
  if (packet.origin().item) packet.origin().item->Acquire();
  Edge::Level level;
  if (branch.staged.empty() && branch.edge->Push(packet, port.bound, level)) {
    if (observer_) Trace(port, *branch.edge, time, trace_id, level);
  } else {
    // Nothing earlier than what is staged first will come: what lies on the edge need not wait for it.
    if (branch.staged.empty()) branch.edge->RaiseBound(time);
    branch.staged.push_back(std::move(packet));
    ++num_staged_;
  }
  has_room_ = has_room_ && branch.edge->has_room();
}

inline void OutputPorts::Put(Port& port, Packet&& packet) {
  const Time time = packet.timestamp();
  port.bound = port.many_per_time ? time : time.Next();
  packet.SetSequence(port.next_sequence++);
  if (port.next_flags != 0) packet = std::move(packet).WithFlags(std::exchange(port.next_flags, uint8_t{0}));
  ++num_sent_;
  for (size_t i = 0; i + 1 < port.branches.size(); ++i) PutOnBranch(port, port.branches[i], Packet(packet));
  if (!port.branches.empty()) PutOnBranch(port, port.branches.back(), std::move(packet));
}

OutputPorts::Order OutputPorts::Send(std::string_view name, Packet& packet) {
  Port& port = Find(name);
  CheckType(port, packet);
  if (port.bound == Time::Max())
    throw std::logic_error("a packet was sent on output '" + port.name + "' after its end");
  if (!CanSend(port)) throw std::logic_error("a packet was sent on output '" + port.name + "', which has no room");
  if (packet.timestamp() < port.bound) return Order::kTooEarly;
  Put(port, std::move(packet));
  return Order::kInOrder;
}

void OutputPorts::SendError(const Packet& error) {
  for (Port& port : ports_) PutError(port, error);
}

void OutputPorts::SendError(std::string_view name, Packet error) { PutError(Find(name), std::move(error)); }

void OutputPorts::PutError(Port& port, Packet error) {
  if (port.bound == Time::Max())
    throw std::logic_error("an error was sent on output '" + port.name + "' after its end");
  const Time time = std::max(error.timestamp(), port.bound);
  Put(port, std::move(error).WithTimestamp(time));
}

void OutputPorts::Raise(Port& port, Time bound) {
  if (bound <= port.bound) return;
  port.bound = bound;
  for (Branch& branch : port.branches) {
    // The bound must not overtake what is staged first, where it is already; FlushStaged makes up for it.
    if (branch.staged.empty()) branch.edge->RaiseBound(bound);
  }
}

void OutputPorts::RaiseBounds(Time bound) {
  for (Port& port : ports_) Raise(port, bound);
}

Time OutputPorts::EndTime() {
  Time end = Time::Min();
  for (const Port& port : ports_) {
    end = std::max(end, port.many_per_time && !port.bound.is_special() ? port.bound.Next() : port.bound);
  }
  RaiseBounds(end);
  return end;
}

Time OutputPorts::StartEpoch(Time at, uint8_t flags) {
  for (const Port& port : ports_) at = std::max(at, port.bound);
  for (Port& port : ports_) {
    Raise(port, at);
    port.next_flags |= flags;
  }
  return at;
}

bool OutputPorts::FlushAllStaged() {
  bool all_gone = true;
  for (Port& port : ports_) {
    for (Branch& branch : port.branches) {
      if (branch.staged.empty()) continue;
      Edge::Level level;
      while (!branch.staged.empty()) {
        Packet& packet = branch.staged.front();
        const Time time = packet.timestamp();
        const uint64_t trace_id = packet.origin().trace_id;
        if (!branch.edge->Push(packet, time, level)) {
          branch.edge->RaiseBound(time);
          break;
        }
        Trace(port, *branch.edge, time, trace_id, level);
        branch.staged.pop_front();
        --num_staged_;
      }
      if (branch.staged.empty()) {
        branch.edge->RaiseBound(port.bound);
      } else {
        all_gone = false;
      }
    }
  }
  return all_gone;
}

bool OutputPorts::LookForRoom() {
  if (!FlushStaged()) return false;
  for (Port& port : ports_) {
    for (Branch& branch : port.branches) {
      if (!branch.edge->HasRoom()) return false;
    }
  }
  has_room_ = true;
  return true;
}

void OutputPorts::Drop() {
  for (Port& port : ports_) {
    for (Branch& branch : port.branches) {
      for (const Packet& packet : branch.staged) {
        if (packet.origin().item) packet.origin().item->Release();
      }
      branch.staged.clear();
    }
  }
  num_staged_ = 0;
}

bool OutputPorts::HasLostItsReaders() const {
  bool any = false;
  for (const Port& port : ports_) {
    for (const Branch& branch : port.branches) {
      if (!branch.edge->is_closed()) return false;
      any = true;
    }
  }
  return any;
}

std::vector<Packet> OutputPorts::Staged() const {
  std::vector<Packet> staged;
  for (const Port& port : ports_) {
    for (const Branch& branch : port.branches) staged.insert(staged.end(), branch.staged.begin(), branch.staged.end());
  }
  return staged;
}

Time OutputPorts::LatestBound() const {
  Time latest = Time::Min();
  for (const Port& port : ports_) latest = std::max(latest, port.bound);
  return latest;
}

const Edge* OutputPorts::FullEdge() const {
  for (const Port& port : ports_) {
    for (const Branch& branch : port.branches) {
      if (!branch.staged.empty() || branch.edge->is_full()) return branch.edge;
    }
  }
  return nullptr;
}

}  // namespace percept::graph
