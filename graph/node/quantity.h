// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "graph/packet/time.h"

namespace percept::graph {

// A number with its unit, as pipeline files write it; nothing where the text is something else. Throws
// std::out_of_range where it does not fit.
// "40us", "200ms", "2s", "1.5min", "1h"; "0" needs no unit.
std::optional<Duration> ReadDuration(const std::string& text);
// "4096", "64KiB", "64MiB", "2GB", "1.5GiB".
std::optional<int64_t> ReadBytes(const std::string& text);

// The other way, for messages: "200ms", "1.5s"; "64MiB", "1000 bytes".
std::string DurationText(Duration duration);
std::string BytesText(int64_t bytes);

}  // namespace percept::graph
