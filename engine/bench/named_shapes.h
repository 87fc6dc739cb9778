// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace percept {

// The sizes that the models come in (spec: text-decoder, section 1.1; vision, section 1.2).
std::vector<std::string_view> ShapeNames();

// What a config.json of one of them states.
std::string ShapeConfig(std::string_view name);

}  // namespace percept
