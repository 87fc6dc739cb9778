// SPDX-License-Identifier: Apache-2.0
#include "nodes/source/local_file.h"

#include <string>
#include <system_error>

#include "kernels/core/error.h"

namespace percept::nodes {

void RequireLocalFile(const std::filesystem::path& file, std::string_view what, std::string_view instead) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(file, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    throw InputError("no such file");
  }
  if (error) {
    throw InputError("cannot be opened: " + error.message());
  }
  if (status.type() == std::filesystem::file_type::directory) {
    throw InputError("a directory, not " + std::string(what));
  }
  if (status.type() != std::filesystem::file_type::regular) {
    throw InputError("not a regular file; " + std::string(instead));
  }
  if (std::filesystem::file_size(file, error) == 0 && !error) {
    throw InputError("empty");
  }
}

}  // namespace percept::nodes
