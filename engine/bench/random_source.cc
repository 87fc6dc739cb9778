// SPDX-License-Identifier: Apache-2.0
#include "engine/bench/random_source.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <numeric>
#include <utility>

#include "kernels/bench/random_blocks.h"

namespace percept {
namespace {

constexpr size_t kPoolBytes = size_t{64} << 20;
constexpr size_t kScaleBytes = size_t{1} << 20;
constexpr float kBound = 30.0F;

// A linear congruential generator: its high bits are random enough for values nobody interprets.
void FillUniform(std::span<std::byte> bytes, float low, float high) {
  uint64_t state = 1;
  for (size_t i = 0; i + sizeof(uint16_t) <= bytes.size(); i += sizeof(uint16_t)) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    const float unit = static_cast<float>(state >> 40) * 0x1p-24F;
    const uint16_t value = FloatToBF16(low + (high - low) * unit);
    std::memcpy(bytes.data() + i, &value, sizeof(value));
  }
}

void FillRepeating(std::span<std::byte> bytes, std::span<const std::byte> pattern) {
  for (size_t begin = 0; begin < bytes.size(); begin += pattern.size()) {
    std::memcpy(bytes.data() + begin, pattern.data(), std::min(pattern.size(), bytes.size() - begin));
  }
}

std::byte* Map(void* address, size_t size_bytes, int flags, int file) {
  void* mapped = mmap(address, size_bytes, PROT_READ | PROT_WRITE, flags, file, 0);
  if (mapped == MAP_FAILED) {
    throw std::bad_alloc();
  }
  return static_cast<std::byte*>(mapped);
}

// Memory that can be mapped more than once.
class SharedMemory {
 public:
  explicit SharedMemory(size_t size_bytes) : file_(memfd_create("percept", MFD_CLOEXEC)) {
    if (file_ < 0 || ftruncate(file_, static_cast<off_t>(size_bytes)) != 0) {
      if (file_ >= 0) close(file_);
      throw std::bad_alloc();
    }
  }
  ~SharedMemory() { close(file_); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  int file() const { return file_; }

 private:
  int file_;
};

}  // namespace

AnonymousMemory::AnonymousMemory(size_t size_bytes)
    : address_(Map(nullptr, size_bytes, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1)), size_bytes_(size_bytes) {}

AnonymousMemory AnonymousMemory::Repeated(std::span<const std::byte> chunk, size_t size_bytes) {
  const SharedMemory shared(chunk.size());
  const size_t num_chunks = (size_bytes + chunk.size() - 1) / chunk.size();
  AnonymousMemory memory(num_chunks * chunk.size());
  for (size_t i = 0; i < num_chunks; ++i) {
    Map(memory.address_ + i * chunk.size(), chunk.size(), MAP_SHARED | MAP_FIXED, shared.file());
  }
  std::memcpy(memory.address_, chunk.data(), chunk.size());
  return memory;
}

AnonymousMemory::AnonymousMemory(AnonymousMemory&& other) noexcept
    : address_(std::exchange(other.address_, nullptr)), size_bytes_(std::exchange(other.size_bytes_, 0)) {}

AnonymousMemory& AnonymousMemory::operator=(AnonymousMemory&& other) noexcept {
  std::swap(address_, other.address_);
  std::swap(size_bytes_, other.size_bytes_);
  return *this;
}

AnonymousMemory::~AnonymousMemory() {
  if (address_ != nullptr) {
    munmap(address_, size_bytes_);
  }
}

RandomSource::RandomSource(std::vector<RandomTensor> tensors)
    : scales_(kScaleBytes), lower_bounds_(kScaleBytes), upper_bounds_(kScaleBytes) {
  FillUniform(scales_.bytes(), 0.5F, 1.0F);
  FillUniform(lower_bounds_.bytes(), -kBound, -kBound);
  FillUniform(upper_bounds_.bytes(), kBound, kBound);
  for (RandomTensor& tensor : tensors) {
    ConstTensor view{.bytes = MemoryFor(tensor), .dtype = tensor.dtype, .shape = tensor.shape};
    PERCEPT_CHECK(tensors_.emplace(std::move(tensor.name), view).second);
  }
}

const std::byte* RandomSource::MemoryFor(const RandomTensor& tensor) {
  const auto size = static_cast<size_t>(tensor.size_bytes());
  const auto shared = [&](const AnonymousMemory& memory) -> const std::byte* {
    PERCEPT_CHECK(size <= memory.bytes().size() && tensor.dtype == DType::kBF16);
    return memory.bytes().data();
  };
  switch (tensor.use) {
    case RandomTensorUse::kScale:
      return shared(scales_);
    case RandomTensorUse::kLowerBound:
      return shared(lower_bounds_);
    case RandomTensorUse::kUpperBound:
      return shared(upper_bounds_);
    case RandomTensorUse::kRepacked:
    case RandomTensorUse::kReadByRow:
    case RandomTensorUse::kReadWhole:
      break;
  }
  const AnonymousMemory& pool = Pool(tensor.dtype);
  if (tensor.use == RandomTensorUse::kReadWhole) {
    FillRepeating(tables_.emplace_back(size).bytes(), pool.bytes());
    return tables_.back().bytes().data();
  }
  if (tensor.use == RandomTensorUse::kRepacked && size <= pool.bytes().size()) {
    return pool.bytes().data();
  }
  return tables_.emplace_back(AnonymousMemory::Repeated(pool.bytes(), size)).bytes().data();
}

const AnonymousMemory& RandomSource::Pool(DType dtype) {
  AnonymousMemory& pool = pools_[dtype];
  if (pool.bytes().empty()) {
    const auto step =
        std::lcm(static_cast<size_t>(sysconf(_SC_PAGESIZE)), static_cast<size_t>(Traits(dtype).block_bytes));
    pool = AnonymousMemory(kPoolBytes / step * step);
    FillRandomBlocks(dtype, pool.bytes());
  }
  return pool;
}

const ConstTensor* RandomSource::Find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

std::vector<std::string> RandomSource::Names() const {
  std::vector<std::string> names;
  names.reserve(tensors_.size());
  for (const auto& [name, tensor] : tensors_) {
    names.push_back(name);
  }
  return names;
}

std::string RandomSource::FileOf(std::string_view /*name*/) const { return "random weights"; }

void RandomSource::ReleasePages(std::string_view /*name*/) const {}  // shared between tensors

}  // namespace percept
