// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

// Folder with the reference's goldens. A test that needs it begins with PERCEPT_NEED_SHARED().
inline std::filesystem::path SharedDir() { return PERCEPT_SHARED_DIR; }

// Files of the tests' own, part of the source tree.
inline std::filesystem::path TestDataDir() { return std::filesystem::path(PERCEPT_SOURCE_DIR) / "tests" / "data"; }

#define PERCEPT_NEED_SHARED()                                                                         \
  do {                                                                                                \
    if (!std::filesystem::is_directory(SharedDir() / "goldens")) {                                    \
      GTEST_SKIP() << "no goldens in " << SharedDir() << ": set PERCEPT_SHARED_DIR to run this test"; \
    }                                                                                                 \
  } while (false)
