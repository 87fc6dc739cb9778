// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/weights/mapped_file.h"
#include "kernels/weights/safetensors_header.h"
#include "kernels/weights/tensor_source.h"

namespace percept {

// The tensors of memory-mapped safetensors files. Opening validates every header and reads no data. Safe to use from
// several threads.
class SafetensorsSource final : public TensorSource {
 public:
  // Throws CheckpointError where a file is damaged or two files hold the same tensor.
  explicit SafetensorsSource(const std::vector<std::filesystem::path>& files);

  // Throws CheckpointError where the tensor exists in a dtype or rank that no op reads. A tensor whose address in the
  // file is unaligned for its type is copied when it is first found.
  const ConstTensor* Find(std::string_view name) const override;
  std::vector<std::string> Names() const override;
  std::string FileOf(std::string_view name) const override;
  void ReleasePages(std::string_view name) const override;

  // Every tensor as its header states it, those that no op reads included, in the order of files and data.
  const std::vector<TensorEntry>& entries() const { return entries_; }
  int64_t file_bytes() const;

 private:
  struct Placed {
    const MappedFile* file;
    std::span<const std::byte> bytes;
    const TensorEntry* entry;
    std::optional<ConstTensor> tensor;  // nothing where no op reads it
    bool aligned = true;
  };

  void Place(const MappedFile& file, const TensorEntry& entry, std::span<const std::byte> data);

  std::deque<MappedFile> files_;
  std::vector<TensorEntry> entries_;
  std::map<std::string, Placed, std::less<>> tensors_;

  struct Copy {
    Buffer buffer;
    ConstTensor tensor;
  };
  mutable std::mutex copies_mutex_;
  mutable std::map<std::string, Copy, std::less<>> copies_;  // of unaligned tensors
};

// Opens one .safetensors file, or those of a folder: its model.safetensors, or else all that its
// model.safetensors.index.json names. Throws CheckpointError naming the file.
std::unique_ptr<SafetensorsSource> OpenSafetensors(const std::filesystem::path& path);

}  // namespace percept
