// SPDX-License-Identifier: Apache-2.0
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>

#include "graph/run/executor.h"

namespace percept::graph {
namespace {

int NumInAffinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// Processors that a cgroup v2 folder allows ("max 100000" or "150000 100000"), `otherwise` where it sets no limit.
int NumInCgroup(const std::string& folder, int otherwise) {
  std::ifstream file(folder + "/cpu.max");
  double quota = 0, period = 0;
  if (!(file >> quota >> period) || quota <= 0 || period <= 0) return otherwise;
  return std::max(1, std::min(otherwise, static_cast<int>(std::ceil(quota / period))));
}

}  // namespace

int NumUsableProcessors() {
  int num_processors = NumInAffinity();
  std::ifstream groups("/proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {
    if (line.compare(0, 3, "0::") != 0) continue;
    // A limit may stand at any level above.
    std::string path = line.substr(3);
    while (true) {
      num_processors = NumInCgroup("/sys/fs/cgroup" + path, num_processors);
      const size_t slash = path.find_last_of('/');
      if (slash == std::string::npos) break;
      path.resize(slash);
    }
  }
  return num_processors;
}

}  // namespace percept::graph
