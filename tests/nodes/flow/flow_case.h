// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/packet/packet_list.h"
#include "graph/test/node_harness.h"
#include "nodes/payload/text.h"
#include "nodes/register_nodes.h"

namespace percept::nodes {

inline const graph::Registry& AllNodes() {
  static const graph::Registry registry = [] {
    graph::Registry all;
    RegisterNodes(&all);
    return all;
  }();
  return registry;
}

// One flow node: `a.out`, `b.out` and `d.out` are texts, `c.out` is something else.
inline graph::NodeHarness FlowNode(const std::string& yaml) {
  return graph::NodeHarness(AllNodes(), yaml,
                            {{"a.out", "Text"}, {"b.out", "Text"}, {"d.out", "Text"}, {"c.out", "Image"}});
}

inline graph::Packet TextAt(const std::string& text, int64_t ms) {
  return graph::Packet::Make(Text{.text = text}, graph::Time::Milliseconds(ms));
}

inline graph::Packet NumberAt(const std::string& text, const std::string& field, double value, int64_t ms) {
  return graph::Packet::Make(Text{.text = text, .fields = {{field, value}}}, graph::Time::Milliseconds(ms));
}

// "0.01s a", "0.01s [a b]", "0.01s [a b] partial", "0.01s error: cut short".
inline std::string Describe(const graph::Packet& packet) {
  std::string line = packet.timestamp().ToString() + " ";
  if (packet.is_error()) return line + "error: " + packet.Get<graph::ErrorPayload>().reason;
  if (packet.Is<Text>()) return line + packet.Get<Text>().text;
  const auto& list = packet.Get<graph::PacketList>();
  std::string texts;
  for (const graph::Packet& each : list.packets) texts += (texts.empty() ? "" : " ") + each.Get<Text>().text;
  return line + "[" + texts + "]" + (list.partial ? " partial" : "");
}

inline std::vector<std::string> DescribeAll(const std::vector<graph::Packet>& packets) {
  std::vector<std::string> lines;
  for (const graph::Packet& packet : packets) lines.push_back(Describe(packet));
  return lines;
}

// What a definition is refused with, its position apart; "" where it is not.
inline std::string RefusalOf(const std::string& yaml) {
  try {
    FlowNode(yaml);
  } catch (const graph::DefinitionError& error) {
    return error.message();
  }
  return "";
}

}  // namespace percept::nodes
