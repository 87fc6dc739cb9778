// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

#include "nodes/payload/audio_chunk.h"

namespace percept::nodes {

// Decodes the best stream of sound in a local file, of any container and codec that FFmpeg reads, told apart by
// content; see MonoTrack for what becomes of channels, rates and times. `source` is left to the caller. Packets that
// cannot be decoded are counted and passed over. Reads nothing but this file. Runs in the calling thread alone; asks
// `cancelled` now and then, and throws InputError where it says so. Throws InputError with the reason (not the name)
// where the file is missing, no sound, longer than `sample_limit`, without a sample, or ends before the end that it
// states.
AudioChunk DecodeSoundFile(const std::filesystem::path& file, int64_t sample_limit,
                           const std::function<bool()>& cancelled = {});

// The same of what is in memory.
AudioChunk DecodeSoundBytes(std::span<const std::byte> bytes, int64_t sample_limit,
                            const std::function<bool()>& cancelled = {});

}  // namespace percept::nodes
