// SPDX-License-Identifier: Apache-2.0
#include "cli/set_flags.h"

#include "kernels/core/error.h"

namespace percept::cli {

void AddSetFlags(CLI::App& verb, std::vector<std::string>* sets) {
  verb.add_option("--set", *sets, "a parameter of the pipeline; the same name again makes a list")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->take_all();
}

graph::Arguments ParseSets(const std::vector<std::string>& sets) {
  graph::Arguments arguments;
  for (const std::string& set : sets) {
    const size_t equals = set.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw ArgumentError("--set " + set + ": expected NAME=VALUE");
    }
    arguments.values[set.substr(0, equals)].push_back(set.substr(equals + 1));
  }
  return arguments;
}

}  // namespace percept::cli
