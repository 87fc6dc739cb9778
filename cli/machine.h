// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace percept::cli {

// What the operating system says of the machine.
struct MachineFacts {
  std::string processor;              // "" where it does not say
  std::vector<std::string> features;  // those that matter here, as Linux names them
  int num_usable_processors = 0;
  int64_t memory_bytes = 0;
  int64_t available_bytes = 0;  // without swapping
};
MachineFacts ReadMachine();

}  // namespace percept::cli
