// SPDX-License-Identifier: Apache-2.0
#include "kernels/weights/safetensors.h"

#include <cstring>
#include <span>
#include <utility>

#include "kernels/core/error.h"
#include "kernels/core/quoted.h"
#include "kernels/weights/safetensors_index.h"

namespace percept {
namespace {

constexpr uint64_t kMaxHeader_bytes = 100'000'000;
constexpr size_t kLengthField_bytes = 8;

struct Sections {
  std::string_view header;
  std::span<const std::byte> data;
};

Sections Split(const MappedFile& file) {
  const std::span<const std::byte> bytes = file.bytes();
  const auto fail = [&](const std::string& reason) {
    throw CheckpointError(file.path().string() + ": not a safetensors file: " + reason);
  };
  if (bytes.size() < kLengthField_bytes) {
    fail("it has " + std::to_string(bytes.size()) + (bytes.size() == 1 ? " byte" : " bytes") +
         ", fewer than the 8 of the header's length");
  }
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof(length));
  if (length > kMaxHeader_bytes) {
    fail("a header of " + std::to_string(length) + " bytes is over the limit of " + std::to_string(kMaxHeader_bytes));
  }
  if (length > bytes.size() - kLengthField_bytes) {
    fail("a header of " + std::to_string(length) + " bytes does not fit into " + std::to_string(bytes.size()) +
         " bytes of file");
  }
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + kLengthField_bytes;
  const std::string_view header(text, length);
  if (!header.starts_with('{')) {
    fail("its header does not begin with {");
  }
  return {header, bytes.subspan(kLengthField_bytes + length)};
}

std::optional<ConstTensor> AsTensor(const TensorEntry& entry, const std::byte* bytes) {
  const std::optional<DType> dtype = entry.op_dtype();
  if (!dtype || entry.shape.size() > Shape::kMaxRank) {
    return std::nullopt;
  }
  ConstTensor tensor{.bytes = bytes, .dtype = *dtype, .shape = {}};
  for (const int64_t dim : entry.shape) {
    tensor.shape.Append(dim);
  }
  return tensor;
}

}  // namespace

SafetensorsSource::SafetensorsSource(const std::vector<std::filesystem::path>& files) {
  std::vector<std::pair<size_t, std::span<const std::byte>>> parts;  // first entry and data of each file
  for (const std::filesystem::path& path : files) {
    const MappedFile& file = files_.emplace_back(path);
    const Sections sections = Split(file);
    parts.emplace_back(entries_.size(), sections.data);
    for (TensorEntry& entry :
         ParseSafetensorsHeader(path, sections.header, static_cast<int64_t>(sections.data.size()))) {
      entries_.push_back(std::move(entry));
    }
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t end = i + 1 < parts.size() ? parts[i + 1].first : entries_.size();
    for (size_t entry_idx = parts[i].first; entry_idx < end; ++entry_idx) {
      Place(files_[i], entries_[entry_idx], parts[i].second);
    }
  }
}

void SafetensorsSource::Place(const MappedFile& file, const TensorEntry& entry, std::span<const std::byte> data) {
  Placed placed{.file = &file,
                .bytes = data.subspan(static_cast<size_t>(entry.begin), static_cast<size_t>(entry.size_bytes())),
                .entry = &entry,
                .tensor = {}};
  placed.tensor = AsTensor(entry, placed.bytes.data());
  if (placed.tensor) {
    const auto alignment = static_cast<uintptr_t>(Traits(placed.tensor->dtype).block_bytes);
    placed.aligned = placed.bytes.empty() || reinterpret_cast<uintptr_t>(placed.bytes.data()) % alignment == 0;
  }
  const auto [it, inserted] = tensors_.emplace(entry.name, placed);
  if (!inserted) {
    throw CheckpointError(file.path().string() + ": tensor " + Quoted(entry.name) + " is also in " +
                          it->second.file->path().string());
  }
}

const ConstTensor* SafetensorsSource::Find(std::string_view name) const {
  const auto it = tensors_.find(name);
  if (it == tensors_.end()) {
    return nullptr;
  }
  const Placed& placed = it->second;
  if (!placed.tensor) {
    throw CheckpointError(placed.file->path().string() + ": tensor " + Quoted(it->first) + ": dtype " +
                          placed.entry->dtype + " with " + std::to_string(placed.entry->shape.size()) +
                          (placed.entry->shape.size() == 1 ? " dimension" : " dimensions") + " cannot be used here");
  }
  if (placed.aligned) {
    return &*placed.tensor;
  }
  const std::lock_guard lock(copies_mutex_);
  Copy& copy = copies_[it->first];
  if (copy.tensor.bytes == nullptr) {
    copy.buffer = Buffer(placed.bytes.size());
    std::memcpy(copy.buffer.get(), placed.bytes.data(), placed.bytes.size());
    copy.tensor = *placed.tensor;
    copy.tensor.bytes = copy.buffer.get();
  }
  return &copy.tensor;
}

std::vector<std::string> SafetensorsSource::Names() const {
  std::vector<std::string> names;
  names.reserve(tensors_.size());
  for (const auto& [name, placed] : tensors_) {
    names.push_back(name);
  }
  return names;
}

std::string SafetensorsSource::FileOf(std::string_view name) const {
  const auto it = tensors_.find(name);
  return (it != tensors_.end() ? it->second.file : &files_.front())->path().string();
}

void SafetensorsSource::ReleasePages(std::string_view name) const {
  if (const auto it = tensors_.find(name); it != tensors_.end()) {
    it->second.file->ReleasePages(it->second.bytes);
  }
}

int64_t SafetensorsSource::file_bytes() const {
  size_t sum = 0;
  for (const MappedFile& file : files_) {
    sum += file.bytes().size();
  }
  return static_cast<int64_t>(sum);
}

std::unique_ptr<SafetensorsSource> OpenSafetensors(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) {
    return std::make_unique<SafetensorsSource>(std::vector{path});
  }
  const std::filesystem::path single = path / "model.safetensors";
  if (std::filesystem::exists(single)) {
    return std::make_unique<SafetensorsSource>(std::vector{single});
  }
  if (const std::filesystem::path index = path / "model.safetensors.index.json"; std::filesystem::exists(index)) {
    return OpenShards(index);
  }
  throw CheckpointError(path.string() + ": the folder has neither model.safetensors nor model.safetensors.index.json");
}

}  // namespace percept
