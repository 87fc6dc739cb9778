// SPDX-License-Identifier: Apache-2.0
// The one file that knows absolute paths, so that a compiler cache serves the others in any checkout.
#include "tests/support/shared_dir.h"

std::filesystem::path SharedDir() { return PERCEPT_SHARED_DIR; }

std::filesystem::path SourceDir() { return PERCEPT_SOURCE_DIR; }

std::filesystem::path ProgramPath() { return PERCEPT_PROGRAM; }
