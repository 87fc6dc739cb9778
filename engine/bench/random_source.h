// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/weights/tensor_source.h"

namespace percept {

// Fresh memory of this process, page-aligned and zero. Unmapped at the end.
class AnonymousMemory {
 public:
  AnonymousMemory() = default;
  // Throws std::bad_alloc.
  explicit AnonymousMemory(size_t size_bytes);
  // The same `size_bytes` / `chunk_bytes` times (rounded up) the same `chunk_bytes` of memory, a whole number of pages.
  static AnonymousMemory Repeated(std::span<const std::byte> chunk, size_t size_bytes);
  AnonymousMemory(AnonymousMemory&& other) noexcept;
  AnonymousMemory& operator=(AnonymousMemory&& other) noexcept;
  ~AnonymousMemory();

  std::span<std::byte> bytes() const { return {address_, size_bytes_}; }

 private:
  std::byte* address_ = nullptr;
  size_t size_bytes_ = 0;
};

// How a tensor is used, and so what memory stands behind it.
enum class RandomTensorUse : uint8_t {
  kRepacked,    // read once while a model loads: all of these of one type share one piece of memory
  kReadWhole,   // read in place, all of it (the output matrix): memory of its own
  kReadByRow,   // gathered by row: a large table repeats a small piece of memory
  kScale,       // norms and scalars: values around 1
  kLowerBound,  // of a clipped linear
  kUpperBound,
};

struct RandomTensor {
  std::string name;
  Shape shape;
  RandomTensorUse use = RandomTensorUse::kRepacked;
  DType dtype = DType::kBF16;

  int64_t size_bytes() const { return BytesOf(dtype, shape.elements()); }
};

// A checkpoint that exists in memory alone: every tensor it is asked for, with values that look like weights and are
// the same in every run. For measurements with the true shapes of a model whose weights are not at hand.
class RandomSource final : public TensorSource {
 public:
  // Throws std::bad_alloc.
  explicit RandomSource(std::vector<RandomTensor> tensors);

  const ConstTensor* Find(std::string_view name) const override;
  std::vector<std::string> Names() const override;
  std::string FileOf(std::string_view name) const override;
  void ReleasePages(std::string_view name) const override;

 private:
  const std::byte* MemoryFor(const RandomTensor& tensor);
  // Whole blocks of a type, in whole pages.
  const AnonymousMemory& Pool(DType dtype);

  std::map<DType, AnonymousMemory> pools_;
  AnonymousMemory scales_;  // uniform around 1
  AnonymousMemory lower_bounds_, upper_bounds_;
  std::vector<AnonymousMemory> tables_;
  std::map<std::string, ConstTensor, std::less<>> tensors_;
};

}  // namespace percept
