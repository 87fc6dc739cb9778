// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace percept {

enum class MediaKind { kImage, kVideo, kAudio };

// "image", "video", "audio".
const char* MediaKindName(MediaKind kind);

}  // namespace percept
