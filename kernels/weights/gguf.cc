// SPDX-License-Identifier: Apache-2.0
#include "kernels/weights/gguf.h"

#include <algorithm>
#include <iterator>

#include "kernels/core/error.h"
#include "kernels/core/quoted.h"
#include "kernels/weights/gguf_form.h"

namespace percept {
namespace {

std::string InFile(const MappedFile& file, const GgufTensor& entry) {
  return file.path().string() + ": tensor " + Quoted(entry.name);
}

Shape ShapeOf(const GgufTensor& entry) {
  Shape shape;
  for (const int64_t dim : entry.shape) shape.Append(dim);
  return shape;
}

// Where a file has no encoders, the answer is of no importance.
GgufEncoders EncodersOf(const GgufHeader& header) {
  constexpr std::string_view kOnlyInTextFiles[] = {"mm.a.fc.weight", kGgufVisionBounds};
  for (const GgufTensor& entry : header.tensors) {
    if (std::find(std::begin(kOnlyInTextFiles), std::end(kOnlyInTextFiles), entry.name) != std::end(kOnlyInTextFiles)) {
      return GgufEncoders::kTowersInTextFile;
    }
  }
  for (const char* key : {"clip.vision.projector_type", "clip.projector_type"}) {
    if (!header.metadata.Has(key)) continue;
    return header.metadata.String(key) == "gemma4uv" ? GgufEncoders::kCells : GgufEncoders::kTower;
  }
  return GgufEncoders::kTower;
}

}  // namespace

GgufSource::GgufSource(const std::vector<std::filesystem::path>& files) {
  for (const std::filesystem::path& path : files) {
    const MappedFile& file = files_.emplace_back(path);
    const GgufHeader& header = headers_.emplace_back(ParseGgufHeader(path, file.bytes()));
    encoders_ = EncodersOf(header);
    for (const GgufTensor& entry : header.tensors) {
      if (entry.name == kGgufVisionBounds) {
        PlaceBounds(file, entry);
      } else {
        Place(file, entry, SafetensorsName(entry.name, encoders_));
      }
    }
  }
}

void GgufSource::PlaceBounds(const MappedFile& file, const GgufTensor& entry) {
  constexpr int64_t kMaxElements = 1 << 15;  // of a thousand layers
  if (entry.dtype != DType::kF32 || entry.shape.size() != 1 || entry.shape[0] > kMaxElements) {
    throw CheckpointError(InFile(file, entry) + ": " + std::string(entry.type) + " of " + ShapeOf(entry).ToString() +
                          " is not what a tensor of that name can be");
  }
  std::span<const std::byte> rest = file.bytes().subspan(entry.begin, entry.size_bytes);
  for (const std::string& name : VisionBoundNames(entry.shape[0])) {
    const std::span<const std::byte> value = rest.first(sizeof(float));
    rest = rest.subspan(sizeof(float));
    Keep(name, {.file = &file,
                .entry = &entry,
                .form = GgufForm::kSame,
                .bytes = value,
                .tensor = ConstTensor{.bytes = value.data(), .dtype = DType::kF32, .shape = Shape()}});
  }
}

void GgufSource::Place(const MappedFile& file, const GgufTensor& entry, const GgufName& name) {
  Placed placed{.file = &file,
                .entry = &entry,
                .form = name.form,
                .bytes = file.bytes().subspan(entry.begin, entry.size_bytes),
                .tensor = {}};
  if (entry.dtype) {
    const Shape shape = ShapeOf(entry);
    const std::optional<Shape> expected_shape = ShapeInForm(name.form, shape);
    const bool has_right_type = name.form != GgufForm::kSoftplus || *entry.dtype == DType::kF32;
    if (!expected_shape || !has_right_type || (!SameOrder(name.form) && Traits(*entry.dtype).block_elements != 1)) {
      throw CheckpointError(InFile(file, entry) + ": " + std::string(entry.type) + " of " + shape.ToString() +
                            " is not what a tensor of that name can be");
    }
    placed.tensor = ConstTensor{.bytes = placed.bytes.data(), .dtype = *entry.dtype, .shape = *expected_shape};
  }
  Keep(name.name, placed);
}

void GgufSource::Keep(const std::string& name, const Placed& placed) {
  const auto [it, inserted] = tensors_.emplace(name, placed);
  if (!inserted) {
    throw CheckpointError(InFile(*placed.file, *placed.entry) + " is also in " + it->second.file->path().string());
  }
}

const ConstTensor* GgufSource::Find(std::string_view name) const {
  const auto it = tensors_.find(name);
  if (it == tensors_.end()) return nullptr;
  const Placed& placed = it->second;
  if (!placed.tensor) {
    throw CheckpointError(InFile(*placed.file, *placed.entry) + ": type " + std::string(placed.entry->type) +
                          " cannot be used here");
  }
  if (SameOrder(placed.form)) return &*placed.tensor;
  const std::lock_guard lock(copies_mutex_);
  Copy& copy = copies_[it->first];
  if (copy.tensor.bytes == nullptr) {
    ConstTensor in_file = *placed.tensor;
    in_file.shape = ShapeOf(*placed.entry);
    copy.buffer = CopyInForm(placed.form, in_file);
    copy.tensor = *placed.tensor;
    copy.tensor.bytes = copy.buffer.get();
  }
  return &copy.tensor;
}

std::vector<std::string> GgufSource::Names() const {
  std::vector<std::string> names;
  names.reserve(tensors_.size());
  for (const auto& [name, placed] : tensors_) names.push_back(name);
  return names;
}

std::string GgufSource::FileOf(std::string_view name) const {
  const auto it = tensors_.find(name);
  if (it != tensors_.end()) return it->second.file->path().string();
  const std::string missing = NameInFile(name);
  const bool is_of_encoders = missing.starts_with("v.") || missing.starts_with("a.") || missing.starts_with("mm.");
  return (is_of_encoders ? files_.back() : files_.front()).path().string();
}

std::string GgufSource::NameInFile(std::string_view name) const {
  const auto it = tensors_.find(name);
  return it != tensors_.end() ? it->second.entry->name : GgufTensorName(name, encoders_);
}

void GgufSource::ReleasePages(std::string_view name) const {
  const auto it = tensors_.find(name);
  if (it == tensors_.end()) return;
  it->second.file->ReleasePages(it->second.bytes);
  const std::lock_guard lock(copies_mutex_);
  copies_.erase(it->first);
}

int64_t GgufSource::file_bytes() const {
  size_t sum = 0;
  for (const MappedFile& file : files_) sum += file.bytes().size();
  return static_cast<int64_t>(sum);
}

}  // namespace percept
