// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "graph/node/registry.h"
#include "graph/packet/packet.h"

namespace percept::graph {

// What a NodeHarness puts in the place of a node's source. All of it is used on one thread.
struct HarnessFeed {
  struct Entry {
    std::string port;
    Packet packet;  // may be empty
    std::string item;
    Time bound;  // after the packet; may be Unset
  };
  std::deque<Entry> entries;
  size_t num_open_ports = 0;
  Waker waker;  // of the source, while it waits for an entry
};

// What it puts behind an output.
struct HarnessKeep {
  std::vector<Packet> packets;
  bool holds_back = false;
  Waker waker;  // of the sink, while it holds back
};

// A source with these outputs; a sink for whatever comes. Both outlive the nodes made of them.
NodeType HarnessSource(const std::string& type, const std::vector<std::pair<std::string, TypeName>>& outputs,
                       HarnessFeed& feed);
NodeType HarnessSink(const std::string& type, HarnessKeep& keep);

}  // namespace percept::graph
