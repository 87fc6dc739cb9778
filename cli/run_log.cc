// SPDX-License-Identifier: Apache-2.0
#include "cli/run_log.h"

#include <spdlog/spdlog.h>

namespace percept::cli {

void RunLog::Write(const graph::RunNote& note) {
  progress_.Hide();
  spdlog::info("{}", note.text);
}

void RunLog::Write(const graph::ErrorPayload& failed) {
  progress_.Hide();
  spdlog::info("{}: failed in node '{}': {}", failed.item, failed.node, failed.reason);
}

}  // namespace percept::cli
