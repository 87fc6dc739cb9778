// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "graph/config/structure.h"

namespace percept::cli {

// Prints a line "  WHAT: PART, PART", at 80 columns where names leave room.
void PrintRow(const std::string& what, const std::vector<std::string>& parts);

// Prints what nodes and edges hold at most, joins and delays: for people, at 80 columns where names leave room. Ports
// that nobody reads are among the graph's warnings.
void PrintStructure(const graph::CheckedGraph& graph, const graph::Structure& structure);

// The same facts for programs: bytes and seconds as numbers.
nlohmann::ordered_json StructureJson(const graph::CheckedGraph& graph, const graph::Structure& structure);

}  // namespace percept::cli
