// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string_view>

namespace percept::nodes {

// Throws InputError with the reason (not the name) where `file` is missing, empty, a directory, or no regular file.
// `what` is what it should be ("a picture"), `instead` what else can be done where it is a pipe or a device.
void RequireLocalFile(const std::filesystem::path& file, std::string_view what, std::string_view instead);

}  // namespace percept::nodes
