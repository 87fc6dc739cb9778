// SPDX-License-Identifier: Apache-2.0
#include "kernels/bench/random_blocks.h"

#include <cstdint>
#include <cstring>
#include <string>

#include "kernels/core/error.h"

namespace percept {
namespace {

// The upper byte of one half-precision number in a block, which gives its sign and size: a scale, or what is added or
// taken away so that values lie around zero. The lower byte stays random.
struct UpperByte {
  int64_t offset;
  uint8_t value;
};

struct BlockNumbers {
  DType dtype;
  UpperByte scale;
  UpperByte shift;  // the scale's again where there is none
};

constexpr BlockNumbers kBlockNumbers[] = {
    {DType::kQ40, {1, 0x1d}, {1, 0x1d}},     {DType::kQ41, {1, 0x1d}, {3, 0xa8}}, {DType::kQ50, {1, 0x19}, {1, 0x19}},
    {DType::kQ80, {1, 0x10}, {1, 0x10}},     {DType::kQ4K, {1, 0x06}, {3, 0x11}}, {DType::kQ5K, {1, 0x03}, {3, 0x11}},
    {DType::kQ6K, {209, 0x01}, {209, 0x01}},
};

// A linear congruential generator: its high bits are random enough for values nobody interprets.
class RandomBits {
 public:
  uint32_t Next() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<uint32_t>(state_ >> 32);
  }

 private:
  uint64_t state_ = 1;
};

template <typename Value, typename Make>
void FillValues(std::span<std::byte> bytes, const Make& make) {
  for (size_t i = 0; i + sizeof(Value) <= bytes.size(); i += sizeof(Value)) {
    const Value value = make();
    std::memcpy(bytes.data() + i, &value, sizeof(value));
  }
}

// Uniform in [-0.03, 0.03).
float RandomWeight(RandomBits& random) {
  constexpr float kSpread = 0.03F;
  return kSpread * (static_cast<float>(random.Next() >> 8) * 0x1p-23F - 1.0F);
}

void FillBlocks(const BlockNumbers& numbers, std::span<std::byte> bytes) {
  RandomBits random;
  FillValues<uint32_t>(bytes, [&] { return random.Next(); });
  const auto block_bytes = static_cast<size_t>(Traits(numbers.dtype).block_bytes);
  for (size_t block = 0; block + block_bytes <= bytes.size(); block += block_bytes) {
    for (const UpperByte& number : {numbers.scale, numbers.shift}) {
      bytes[block + static_cast<size_t>(number.offset)] = std::byte{number.value};
    }
  }
}

}  // namespace

void FillRandomBlocks(DType dtype, std::span<std::byte> bytes) {
  RandomBits random;
  if (dtype == DType::kF32) return FillValues<float>(bytes, [&] { return RandomWeight(random); });
  if (dtype == DType::kBF16) return FillValues<uint16_t>(bytes, [&] { return FloatToBF16(RandomWeight(random)); });
  if (dtype == DType::kF16) {
    // A random sign and fraction, and the exponent of [2^-6, 2^-5).
    return FillValues<uint16_t>(bytes, [&] {
      constexpr uint32_t kSignAndFraction = 0x83ff, kExponent = 9 << 10;
      return static_cast<uint16_t>((random.Next() & kSignAndFraction) | kExponent);
    });
  }
  if (dtype == DType::kInt4) return FillValues<uint32_t>(bytes, [&] { return random.Next(); });
  for (const BlockNumbers& numbers : kBlockNumbers) {
    if (numbers.dtype == dtype) return FillBlocks(numbers, bytes);
  }
  throw ArgumentError("no random weights of type " + std::string(Traits(dtype).name));
}

}  // namespace percept
