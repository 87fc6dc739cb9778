// SPDX-License-Identifier: Apache-2.0
#include "kernels/core/check.h"

namespace percept {

void FailCheck(const char* condition, const char* file, int line) {
  throw InternalError("internal check failed: " + std::string(condition) + " (" + file + ":" + std::to_string(line) +
                      ")");
}

}  // namespace percept
