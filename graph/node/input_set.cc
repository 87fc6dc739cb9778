// SPDX-License-Identifier: Apache-2.0
#include "graph/node/input_set.h"

#include <cstddef>

namespace percept::graph {

constinit const Packet InputSet::kNone;

bool InputSet::IsConnected(std::string_view port) const {
  return std::find(ports_.begin(), ports_.end(), port) != ports_.end();
}

const Packet* InputSet::FindError() const {
  for (const std::vector<Packet>& packets : packets_) {
    for (const Packet& packet : packets) {
      if (packet.is_error()) return &packet;
    }
  }
  return nullptr;
}

void InputSet::AddPort(std::string name) {
  ports_.push_back(std::move(name));
  packets_.emplace_back();
}

void InputSet::RemovePort(size_t port_idx) {
  ports_.erase(ports_.begin() + static_cast<std::ptrdiff_t>(port_idx));
  packets_.erase(packets_.begin() + static_cast<std::ptrdiff_t>(port_idx));
}

}  // namespace percept::graph
