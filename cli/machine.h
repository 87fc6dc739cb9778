// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <istream>
#include <string>
#include <vector>

namespace percept::cli {

// What the operating system says of the machine.
struct MachineFacts {
  std::string processor;              // "" where it does not say
  std::vector<std::string> features;  // those that matter here, as Linux names them
  int num_usable_processors = 0;
  int64_t memory_bytes = 0;
  int64_t available_bytes = 0;  // to this process, without swapping
};
MachineFacts ReadMachine();

// What the memory limits of this process's cgroups (version 2, mounted at `mount`) leave, at most `otherwise`: what
// each level allows, less what it holds beside pages of files. `groups` is /proc/self/cgroup.
int64_t FreeInCgroups(std::istream& groups, const std::filesystem::path& mount, int64_t otherwise);

}  // namespace percept::cli
