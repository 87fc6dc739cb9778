// SPDX-License-Identifier: Apache-2.0
#include "kernels/weights/gguf.h"

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
GgufVision VisionOf(const GgufMetadata& metadata) {
  for (const char* key : {"clip.vision.projector_type", "clip.projector_type"}) {
    if (metadata.Has(key)) return metadata.String(key) == "gemma4uv" ? GgufVision::kCells : GgufVision::kTower;
  }
  return GgufVision::kTower;
}

}  // namespace

GgufSource::GgufSource(const std::vector<std::filesystem::path>& files) {
  for (const std::filesystem::path& path : files) {
    const MappedFile& file = files_.emplace_back(path);
    const GgufHeader& header = headers_.emplace_back(ParseGgufHeader(path, file.bytes()));
    const GgufVision vision = VisionOf(header.metadata);
    for (const GgufTensor& entry : header.tensors) Place(file, entry, SafetensorsName(entry.name, vision));
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
  const auto [it, inserted] = tensors_.emplace(name.name, placed);
  if (!inserted) throw CheckpointError(InFile(file, entry) + " is also in " + it->second.file->path().string());
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
  return (it != tensors_.end() ? it->second.file : &files_.front())->path().string();
}

std::string GgufSource::NameInFile(std::string_view name) const {
  const auto it = tensors_.find(name);
  return it != tensors_.end() ? it->second.entry->name : std::string(name);
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
