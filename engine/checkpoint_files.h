// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace percept {

// The files of a checkpoint: a folder with config.json and safetensors, or GGUF files.
struct CheckpointFiles {
  std::filesystem::path folder;       // empty where they are GGUF files
  std::filesystem::path text_gguf;    // else the text decoder with the tokenizer
  std::filesystem::path mmproj_gguf;  // and the encoders; empty: no pictures, no sound
};

// What stands at `path`: a folder in either format, or a GGUF file of a text decoder. `mmproj` names the GGUF file of
// its encoders; where it is empty, a folder's own is taken, and a file has none. Reads the headers of GGUF files.
// Throws CheckpointError where nothing usable is there, or where a folder leaves the choice between several.
CheckpointFiles FindCheckpointFiles(const std::filesystem::path& path, const std::filesystem::path& mmproj);

}  // namespace percept
