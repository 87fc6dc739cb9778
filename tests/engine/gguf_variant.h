// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "tests/support/temp_folder.h"

namespace percept {

// A variant of the goldens as a converter writes it: text.gguf and mmproj.gguf in a folder of their own, with the
// names, layouts and keys of the formats' description, not of the library's tables. Matrices stay BF16, the rest is
// F32.
class GgufVariant {
 public:
  explicit GgufVariant(const std::string& name);

  std::filesystem::path text() const { return folder_.path() / "text.gguf"; }
  std::filesystem::path mmproj() const { return folder_.path() / "mmproj.gguf"; }

 private:
  TempFolder folder_;
};

// Writes the model of two GGUF files as Ollama's converter writes it: one file of architecture gemma4 that has the
// towers too, with the keys, names and bounds of that converter.
void WriteOneFile(const std::filesystem::path& text, const std::filesystem::path& mmproj,
                  const std::filesystem::path& file);

// A drafter of the goldens as a converter writes it, without the clusters of its output head.
class GgufDrafter {
 public:
  // Of a folder, and the tokenizer of its model.
  GgufDrafter(const std::filesystem::path& drafter, const std::filesystem::path& tokenizer);

  const std::filesystem::path& folder() const { return folder_.path(); }
  std::filesystem::path file() const { return folder_.path() / "drafter.gguf"; }

 private:
  TempFolder folder_;
};

}  // namespace percept
