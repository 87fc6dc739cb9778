// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>

#include "decoder/config/text_config.h"

namespace percept {

// [AttentionKind] The layer of a target whose keys and values the layers of a drafter read: the last of their kind that
// has its own (spec text-decoder 6.1); -1 where there is none.
std::array<int, 2> LayersToDraftFrom(const TextConfig& target);

// Throws CheckpointError, naming the drafter's file and each difference, where `drafter` is no drafter, has mechanisms
// that no drafter has, or was made for another model than `target`. The files are names for the message.
void RequireDrafterFor(const TextConfig& target, const std::string& target_file, const TextConfig& drafter,
                       const std::string& drafter_file);

}  // namespace percept
