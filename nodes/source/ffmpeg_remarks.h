// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "nodes/source/remarks.h"

namespace percept::nodes {

// Collects the errors that FFmpeg's libraries report in this thread while it lives. The first one sends FFmpeg's log to
// these collectors, for the whole process and for good: it prints nothing any more.
class FFmpegRemarks {
 public:
  FFmpegRemarks();
  ~FFmpegRemarks();
  FFmpegRemarks(const FFmpegRemarks&) = delete;
  FFmpegRemarks& operator=(const FFmpegRemarks&) = delete;

  // `reason`, and in brackets what was reported.
  std::string Explain(const std::string& reason) const;

 private:
  Remarks errors_;
};

}  // namespace percept::nodes
