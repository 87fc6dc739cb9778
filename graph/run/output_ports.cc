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

const OutputPorts::Port& OutputPorts::Find(std::string_view name) const {
  for (const Port& port : ports_) {
    if (port.name == name) return port;
  }
  throw std::logic_error("the node's contract declares no output '" + std::string(name) + "'");
}

void OutputPorts::CheckType(Port& port, const Packet& packet) const {
  if (packet.empty()) throw std::logic_error("an empty packet was sent on output '" + port.name + "'");
  if (port.seen_type == &packet.type()) return;
  if (port.type != packet.type().name) {
    throw std::logic_error("output '" + port.name + "' is declared as " + port.type + ", but a packet of type " +
                           packet.type().name + " was sent on it");
  }
  port.seen_type = &packet.type();
}

OutputPorts::Order OutputPorts::Send(std::string_view name, Packet& packet) {
  Port& port = Find(name);
  CheckType(port, packet);
  if (port.bound == Time::Max())
    throw std::logic_error("a packet was sent on output '" + port.name + "' after its end");
  if (!CanSend(name)) throw std::logic_error("a packet was sent on output '" + port.name + "', which has no room");
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

void OutputPorts::Put(Port& port, Packet packet) {
  const Time time = packet.timestamp();
  port.bound = port.many_per_time ? time : time.Next();
  packet = std::move(packet).WithSequence(port.next_sequence++);
  ++num_sent_;
  for (size_t i = 0; i + 1 < port.branches.size(); ++i) PutOnBranch(port, port.branches[i], packet);
  if (!port.branches.empty()) PutOnBranch(port, port.branches.back(), std::move(packet));
}

void OutputPorts::PutOnBranch(const Port& port, Branch& branch, Packet packet) {
  const Time time = packet.timestamp();
  const uint64_t trace_id = packet.origin().trace_id;
  if (packet.origin().item) packet.origin().item->Acquire();
  Edge::Level level;
  if (branch.staged.empty() && branch.edge->Push(packet, port.bound, level)) {
    Trace(port, time, trace_id, level);
  } else {
    branch.staged.push_back(std::move(packet));
  }
}

void OutputPorts::Trace(const Port& port, Time time, uint64_t trace_id, Edge::Level level) const {
  if (!observer_) return;
  observer_->OnEvent({TraceKind::kSent, node_, port.name, time, trace_id, level.packets, level.bytes});
}

bool OutputPorts::CanSend(std::string_view name) const {
  const std::vector<Branch>& branches = Find(name).branches;
  return std::all_of(branches.begin(), branches.end(), [](const Branch& branch) { return branch.staged.empty(); });
}

void OutputPorts::Raise(Port& port, Time bound) {
  if (bound <= port.bound) return;
  port.bound = bound;
  for (Branch& branch : port.branches) {
    // The bound must not overtake what is staged; FlushStaged makes up for it.
    if (branch.staged.empty()) branch.edge->RaiseBound(bound);
  }
}

void OutputPorts::RaiseBounds(Time bound) {
  for (Port& port : ports_) Raise(port, bound);
}

bool OutputPorts::FlushStaged() {
  bool all_gone = true;
  for (Port& port : ports_) {
    for (Branch& branch : port.branches) {
      if (branch.staged.empty()) continue;
      Edge::Level level;
      while (!branch.staged.empty()) {
        Packet& packet = branch.staged.front();
        const Time time = packet.timestamp();
        const uint64_t trace_id = packet.origin().trace_id;
        if (!branch.edge->Push(packet, time, level)) break;
        Trace(port, time, trace_id, level);
        branch.staged.pop_front();
      }
      if (branch.staged.empty()) {
        branch.edge->RaiseBound(port.bound);
      } else {
        all_gone = false;
        full_edge_ = branch.edge;
      }
    }
  }
  return all_gone;
}

bool OutputPorts::HasRoom() {
  full_edge_ = nullptr;
  if (!FlushStaged()) return false;
  for (Port& port : ports_) {
    for (Branch& branch : port.branches) {
      if (branch.edge->HasRoom()) continue;
      full_edge_ = branch.edge;
      return false;
    }
  }
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
}

const Edge* OutputPorts::FullEdge() const { return full_edge_; }

}  // namespace percept::graph
