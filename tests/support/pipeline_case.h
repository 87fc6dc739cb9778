// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "graph/queue/edge_limits.h"

// A whole-graph case: a pipeline file whose comments say what comes of it. Lines `#> key: value`:
//   result      finished, cancelled, failed, or refused where the file itself is wrong
//   error       the exact message of `failed` and `refused`; there, and in items, <bytes> stands for any number
//   item        a failed item, as "item: reason"
//   warning     a warning of the check
//   count       what the run reports beside plain traffic, as "NODE unmatched 3" (or restarts, retries, a kind of
//               repair), "a.out -> b.in: latest 2" (a drop) or "lost 2" (items); all of it, but for runs that fail
//   set         an argument, as name=value
//   limits      packets and bytes of every edge, as "8 1000", whatever the file says
//   largest     bytes of a payload that is larger than an edge's limit
//   NAME        a packet that sink NAME records; in order. Runs that fail may leave all of them out
struct PipelineCase {
  std::string name;  // the file's
  std::string text;
  std::string result;
  std::string error;
  std::vector<std::string> items;
  std::vector<std::string> warnings;
  std::vector<std::string> counts;
  std::map<std::string, std::vector<std::string>> arguments;
  std::optional<percept::graph::EdgeLimits> limits;
  size_t largest = 0;
  std::map<std::string, std::vector<std::string>> sinks;
};

inline void ReadExpectation(PipelineCase& expected, const std::string& key, const std::string& value) {
  if (key == "result") {
    expected.result = value;
  } else if (key == "error") {
    expected.error = value;
  } else if (key == "item") {
    expected.items.push_back(value);
  } else if (key == "warning") {
    expected.warnings.push_back(value);
  } else if (key == "count") {
    expected.counts.push_back(value);
  } else if (key == "set") {
    expected.arguments[value.substr(0, value.find('='))].push_back(value.substr(value.find('=') + 1));
  } else if (key == "limits") {
    expected.limits.emplace();
    std::istringstream(value) >> expected.limits->packets >> expected.limits->bytes;
  } else if (key == "largest") {
    expected.largest = std::stoull(value);
  } else {
    expected.sinks[key].push_back(value);
  }
}

inline PipelineCase ReadPipelineCase(const std::filesystem::path& path) {
  PipelineCase read;
  read.name = path.filename().string();
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    read.text += line + "\n";
    if (line.compare(0, 3, "#> ") != 0) continue;
    const size_t colon = line.find(": ");
    if (colon == std::string::npos) throw std::runtime_error(read.name + ": '" + line + "' is no `#> key: value`");
    ReadExpectation(read, line.substr(3, colon - 3), line.substr(colon + 2));
  }
  if (read.result.empty()) throw std::runtime_error(read.name + ": no `#> result:`");
  return read;
}

// All cases below a folder, by name.
inline std::vector<PipelineCase> FindPipelineCases(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<PipelineCase> cases;
  for (const std::filesystem::path& path : paths) cases.push_back(ReadPipelineCase(path));
  return cases;
}
