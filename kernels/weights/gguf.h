// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/weights/gguf_header.h"
#include "kernels/weights/gguf_names.h"
#include "kernels/weights/mapped_file.h"
#include "kernels/weights/tensor_source.h"

namespace percept {

// The tensors of memory-mapped GGUF files, a model's and its mmproj's, under the names and in the shapes that they have
// in safetensors. Opening validates the headers and reads no data. The few tensors whose order differs (GgufForm) are
// copied when they are first found. Safe to use from several threads.
class GgufSource final : public TensorSource {
 public:
  // Throws CheckpointError where a file is damaged or two files hold the same tensor.
  explicit GgufSource(const std::vector<std::filesystem::path>& files);

  const ConstTensor* Find(std::string_view name) const override;
  std::vector<std::string> Names() const override;
  std::string FileOf(std::string_view name) const override;
  std::string NameInFile(std::string_view name) const override;
  void ReleasePages(std::string_view name) const override;

  // Of one of the files, in the order given.
  const GgufMetadata& metadata(size_t file_idx) const { return headers_[file_idx].metadata; }
  const GgufHeader& header(size_t file_idx) const { return headers_[file_idx]; }
  int64_t file_bytes() const;

 private:
  struct Placed {
    const MappedFile* file;
    const GgufTensor* entry;
    GgufForm form;
    std::span<const std::byte> bytes;
    std::optional<ConstTensor> tensor;  // nothing where no op reads it
  };

  void Place(const MappedFile& file, const GgufTensor& entry, const GgufName& name);
  // Element by element.
  void PlaceBounds(const MappedFile& file, const GgufTensor& entry);
  void Keep(const std::string& name, const Placed& placed);

  std::deque<MappedFile> files_;
  std::deque<GgufHeader> headers_;
  std::map<std::string, Placed, std::less<>> tensors_;
  GgufEncoders encoders_ = GgufEncoders::kTower;  // of the last file, the mmproj where there is one

  struct Copy {
    Buffer buffer;
    ConstTensor tensor;
  };
  mutable std::mutex copies_mutex_;
  mutable std::map<std::string, Copy, std::less<>> copies_;  // of tensors in another order
};

}  // namespace percept
