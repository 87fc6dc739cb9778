// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

namespace percept::cli {

// The place of something that comes with the program ("pipelines/ocr.yaml", "models/percept-tiny"): in the source tree
// that a build folder lies in, or in share/percept of an installation. Empty where it is in neither.
std::filesystem::path FindShippedFile(const std::string& name);
// The same; throws Error where it is in neither.
std::filesystem::path ShippedFile(const std::string& name);

}  // namespace percept::cli
