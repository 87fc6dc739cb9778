// SPDX-License-Identifier: Apache-2.0
#include "graph/packet/packet_list.h"

#include <stdexcept>
#include <string>
#include <utility>

namespace percept::graph {
namespace {

// Brings its type along, as there is one for each type of packet.
struct ListPayload : PayloadOf<PacketList> {
  ListPayload(PacketList list, std::string list_name) : PayloadOf(std::move(list)), name(std::move(list_name)) {
    own_type = kPayloadType<PacketList>;
    own_type.name = name.c_str();
    type = &own_type;
  }
  ListPayload(const ListPayload&) = delete;
  ListPayload& operator=(const ListPayload&) = delete;

  const std::string name;
  PayloadType own_type;
};

}  // namespace

Packet MakeList(PacketList list, Time timestamp) {
  if (list.packets.empty()) throw std::logic_error("a list without packets has no type");
  for (const Packet& packet : list.packets) {
    if (packet.empty() || packet.is_error()) throw std::logic_error("an empty packet or an error in a list");
    if (packet.type() == list.packets.front().type()) continue;
    throw std::logic_error(std::string("a list of ") + list.packets.front().type().name + " and " + packet.type().name);
  }
  std::string name = std::string(list.packets.front().type().name) + "[]";
  return Packet::MakeOf(std::make_shared<ListPayload>(std::move(list), std::move(name)), timestamp);
}

}  // namespace percept::graph
