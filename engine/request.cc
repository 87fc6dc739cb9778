// SPDX-License-Identifier: Apache-2.0
#include "engine/request.h"

namespace percept {

std::string_view FinishReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kContextFull:
      return "context_full";
    case FinishReason::kLoop:
      return "loop";
    case FinishReason::kExpired:
      return "expired";
    case FinishReason::kCancelled:
      return "cancelled";
    case FinishReason::kFailed:
      return "failed";
  }
  return "unknown";
}

}  // namespace percept
