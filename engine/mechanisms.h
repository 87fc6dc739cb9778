// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "engine/loaded_weights.h"

namespace percept {

// What a checkpoint is made of, one mechanism a line, with the sizes that belong to it.
std::vector<std::string> DescribeMechanisms(const ModelConfig& config);

}  // namespace percept
