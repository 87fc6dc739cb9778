// SPDX-License-Identifier: Apache-2.0
#include "engine/failure_text.h"

#include <exception>
#include <new>

namespace percept {

std::string CurrentFailureText() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return "out of memory";
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

}  // namespace percept
