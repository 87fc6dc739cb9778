// SPDX-License-Identifier: Apache-2.0
#include "cli/machine.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include "graph/run/executor.h"

namespace percept::cli {
namespace {

constexpr std::array kFeaturesThatMatter = {"avx2",        "fma",         "f16c",     "avx512f", "avx512vl",
                                            "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"};

// The value of the first "key : value" line of a file in /proc.
std::string ProcValue(const char* file, const std::string& key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos || line.compare(0, key.size(), key) != 0 ||
        line.find_last_not_of(" \t", colon - 1) + 1 != key.size()) {
      continue;
    }
    const size_t start = line.find_first_not_of(" \t", colon + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return "";
}

int64_t ProcKilobytes(const std::string& key) {
  std::istringstream value(ProcValue("/proc/meminfo", key));
  int64_t kilobytes = 0;
  value >> kilobytes;
  return kilobytes * 1024;
}

}  // namespace

MachineFacts ReadMachine() {
  MachineFacts machine;
  machine.processor = ProcValue("/proc/cpuinfo", "model name");
  std::istringstream flags(ProcValue("/proc/cpuinfo", "flags"));
  for (std::string flag; flags >> flag;) {
    if (std::find(kFeaturesThatMatter.begin(), kFeaturesThatMatter.end(), flag) != kFeaturesThatMatter.end()) {
      machine.features.push_back(flag);
    }
  }
  machine.num_usable_processors = graph::NumUsableProcessors();
  machine.memory_bytes = ProcKilobytes("MemTotal");
  machine.available_bytes = ProcKilobytes("MemAvailable");
  return machine;
}

}  // namespace percept::cli
