// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace percept {

// c = a b for one block of fixed size: a bf16 [rows, depth], b bf16 in panels of 64 columns as LinearWeight packs them,
// c f32 [rows, cols], all dense and 64-byte aligned. Made by oneDNN for this CPU, run on the calling thread.
class BF16Product {
  struct Primitive;
  struct Arguments;

 public:
  // depth: a multiple of 32. cols: a multiple of 64. Generates code the first time a size is asked for (under a
  // millisecond); products of equal size share it. Nothing where oneDNN has no code made for this CPU: what it would
  // run instead is slower than f32 products. Up to num_runners Runners live side by side without taking memory.
  static std::optional<BF16Product> Make(int64_t rows, int64_t depth, int64_t cols, int64_t num_runners);
  ~BF16Product();
  BF16Product(BF16Product&& other) noexcept;
  BF16Product& operator=(BF16Product&& other) noexcept;

  int64_t rows() const;
  int64_t cols() const;
  size_t scratch_bytes() const;

  // One thread's use of the product; cheap to make again. `scratch`: scratch_bytes(), 64-byte aligned.
  class Runner {
   public:
    Runner(const BF16Product& product, std::byte* scratch);
    ~Runner();
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;
    void Run(const uint16_t* a, const std::byte* b, float* c);

   private:
    Primitive& primitive_;
    std::unique_ptr<Arguments> arguments_;
  };

 private:
  explicit BF16Product(std::unique_ptr<Primitive> primitive);

  std::unique_ptr<Primitive> primitive_;
};

}  // namespace percept
