// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

// Folder with the reference's goldens. A test that needs it begins with PERCEPT_NEED_SHARED().
std::filesystem::path SharedDir();

// The checkout, and the program built from it.
std::filesystem::path SourceDir();
std::filesystem::path ProgramPath();

// Files of the tests' own, part of the source tree.
inline std::filesystem::path TestDataDir() { return SourceDir() / "tests" / "data"; }

#define PERCEPT_NEED_SHARED()                                                                         \
  do {                                                                                                \
    if (!std::filesystem::is_directory(SharedDir() / "goldens")) {                                    \
      GTEST_SKIP() << "no goldens in " << SharedDir() << ": set PERCEPT_SHARED_DIR to run this test"; \
    }                                                                                                 \
  } while (false)
