// SPDX-License-Identifier: Apache-2.0
#include "graph/node/input_set.h"

#include <algorithm>

namespace percept::graph {

bool InputSet::IsConnected(std::string_view port) const {
  return std::find(ports_.begin(), ports_.end(), port) != ports_.end();
}

const Packet& InputSet::Get(std::string_view port) const {
  static const Packet none;
  const std::span<const Packet> packets = All(port);
  return packets.empty() ? none : packets.front();
}

std::span<const Packet> InputSet::All(std::string_view port) const {
  for (size_t i = 0; i < ports_.size(); ++i) {
    if (ports_[i] == port) return packets_[i];
  }
  return {};
}

const Packet* InputSet::FirstError() const {
  for (const std::vector<Packet>& packets : packets_) {
    for (const Packet& packet : packets) {
      if (packet.is_error()) return &packet;
    }
  }
  return nullptr;
}

const Packet* InputSet::First() const {
  for (const std::vector<Packet>& packets : packets_) {
    if (!packets.empty()) return &packets.front();
  }
  return nullptr;
}

void InputSet::Add(size_t port_idx, Packet packet) {
  time_ = packet.timestamp();
  packets_[port_idx].push_back(std::move(packet));
}

void InputSet::ReleaseCredits() const {
  for (const std::vector<Packet>& packets : packets_) {
    for (const Packet& packet : packets) {
      if (packet.origin().item) packet.origin().item->Release();
    }
  }
}

void InputSet::Clear() {
  for (std::vector<Packet>& packets : packets_) packets.clear();
  time_ = Time::Unset();
}

}  // namespace percept::graph
