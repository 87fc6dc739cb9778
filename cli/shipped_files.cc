// SPDX-License-Identifier: Apache-2.0
#include "cli/shipped_files.h"

#include <system_error>

#include "kernels/core/error.h"

namespace percept::cli {

std::filesystem::path FindShippedFile(const std::string& name) {
  std::error_code error;
  // The program is PREFIX/bin/percept, or SOURCE/build/PRESET/percept.
  std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (int level = 0; level < 3; ++level, folder = folder.parent_path()) {
    for (const std::filesystem::path& candidate : {folder / "share" / "percept" / name, folder / name}) {
      if (std::filesystem::exists(candidate, error)) {
        return candidate;
      }
    }
  }
  return {};
}

std::filesystem::path ShippedFile(const std::string& name) {
  std::filesystem::path file = FindShippedFile(name);
  if (file.empty()) {
    throw Error(name + ", which comes with this program, is neither in share/percept beside it nor in a source tree");
  }
  return file;
}

}  // namespace percept::cli
