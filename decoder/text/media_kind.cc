// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/media_kind.h"

namespace percept {

const char* MediaKindName(MediaKind kind) {
  switch (kind) {
    case MediaKind::kImage:
      return "image";
    case MediaKind::kVideo:
      return "video";
    case MediaKind::kAudio:
      return "audio";
  }
  return "unknown";
}

}  // namespace percept
