// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "decoder/config/text_config.h"
#include "encoders/audio/tower.h"
#include "encoders/vision/patches.h"
#include "encoders/vision/tower.h"
#include "engine/request.h"

namespace percept {

// What the callers get wrong is said where they submit it, and cannot fail a step that others share. Errors as
// Engine::SubmitSequence, Engine::SubmitPicture and Engine::SubmitSound name them.
void RequireUsable(const SequenceRequest& request, const TextConfig& config, int64_t context_tokens);
void RequireUsable(const ImagePatches& picture, const VisionTower& tower);
// A clip; `tower` is null where samples are projected as they are.
void RequireUsable(std::span<const float> samples, const AudioTower* tower);

// Throw ArgumentError that names the option or argument.
void RequireAtLeast(int64_t least, int64_t value, const char* name);
void RequirePositive(int64_t value, const char* name);

}  // namespace percept
