// SPDX-License-Identifier: Apache-2.0
#include "nodes/source/ffmpeg_remarks.h"

extern "C" {
#include <libavutil/log.h>
}

#include <array>
#include <cstdarg>
#include <cstdio>

namespace percept::nodes {
namespace {

// Of the collector that lives in this thread, where FFmpeg's log callback can reach them. With one thread a codec,
// everything is reported in the thread that asked for it.
thread_local Remarks* thread_errors = nullptr;

void KeepError(void* /*context*/, int level, const char* format, va_list arguments) {
  if (thread_errors == nullptr || level > AV_LOG_ERROR) {
    return;
  }
  std::array<char, 512> line{};
  if (std::vsnprintf(line.data(), line.size(), format, arguments) > 0) {
    thread_errors->Add(line.data());
  }
}

}  // namespace

FFmpegRemarks::FFmpegRemarks() {
  [[maybe_unused]] static const bool is_set = [] {
    av_log_set_callback(KeepError);
    return true;
  }();
  thread_errors = &errors_;
}

FFmpegRemarks::~FFmpegRemarks() { thread_errors = nullptr; }

std::string FFmpegRemarks::Explain(const std::string& reason) const {
  const std::string errors = Join(errors_.lines());
  return errors.empty() ? reason : reason + " (" + errors + ")";
}

}  // namespace percept::nodes
