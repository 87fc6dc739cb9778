// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernels/cpu/context.h"
#include "tests/support/test_context.h"

namespace percept {

// Every instruction set this machine and the tests' cap allow, the plainest first.
inline std::vector<Isa> RunnableIsas() {
  std::vector<Isa> isas;
  for (const Isa isa : kAllIsas) {
    if (isa <= TestContext(Mode::kExact).isa) {
      isas.push_back(isa);
    }
  }
  return isas;
}

// A test-name suffix: letters and digits only.
inline std::string IsaSuffix(Isa isa) {
  std::string suffix;
  for (const char c : IsaName(isa)) {
    suffix += c == '-' || c == '_' ? 'x' : c;
  }
  return suffix;
}

}  // namespace percept
