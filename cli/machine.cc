// SPDX-License-Identifier: Apache-2.0
#include "cli/machine.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <numeric>
#include <sstream>
#include <thread>

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

double MeasureReadBytesPerSecond(int num_threads) {
  constexpr size_t kBytesPerThread = size_t{128} << 20;
  constexpr int kPasses = 4;
  using Words = std::vector<uint64_t>;
  std::vector<Words> blocks(static_cast<size_t>(num_threads));
  std::vector<uint64_t> sums(blocks.size());
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (size_t i = 0; i < blocks.size(); ++i) {
      threads.emplace_back([&, i] {
        // The first pass brings the pages in.
        blocks[i].resize(kBytesPerThread / sizeof(uint64_t), 1);
        sums[i] += std::accumulate(blocks[i].begin(), blocks[i].end(), uint64_t{0});
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    best = std::max(best, static_cast<double>(kBytesPerThread * blocks.size()) / elapsed.count());
  }
  // Also keeps the sums from being optimised away.
  return std::accumulate(sums.begin(), sums.end(), uint64_t{0}) > 0 ? best : 0;
}

}  // namespace percept::cli
