// SPDX-License-Identifier: Apache-2.0
#include "cli/machine.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

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

// A number alone in a file; nothing where it is none ("max") or there is no file.
std::optional<int64_t> NumberIn(const std::filesystem::path& file) {
  int64_t number = 0;
  return std::ifstream(file) >> number ? std::optional(number) : std::nullopt;
}

// Pages of files are given back when memory is short.
int64_t FilePages(const std::filesystem::path& stat) {
  std::ifstream lines(stat);
  std::string key;
  for (int64_t bytes = 0; lines >> key >> bytes;) {
    if (key == "file") {
      return bytes;
    }
  }
  return 0;
}

}  // namespace

int64_t FreeInCgroups(std::istream& groups, const std::filesystem::path& mount, int64_t otherwise) {
  constexpr std::string_view kVersion2 = "0::/";
  int64_t free = otherwise;
  for (std::string line; std::getline(groups, line);) {
    if (!line.starts_with(kVersion2)) {
      continue;
    }
    // A limit may stand at any level above.
    for (std::filesystem::path group = line.substr(kVersion2.size());; group = group.parent_path()) {
      const std::filesystem::path folder = mount / group;
      const std::optional<int64_t> limit = NumberIn(folder / "memory.max"), used = NumberIn(folder / "memory.current");
      if (limit && used) {
        free = std::min(free, std::max<int64_t>(0, *limit - *used + FilePages(folder / "memory.stat")));
      }
      if (group.empty()) {
        break;
      }
    }
  }
  return free;
}

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
  std::ifstream groups("/proc/self/cgroup");
  machine.available_bytes = FreeInCgroups(groups, "/sys/fs/cgroup", ProcKilobytes("MemAvailable"));
  return machine;
}

}  // namespace percept::cli
