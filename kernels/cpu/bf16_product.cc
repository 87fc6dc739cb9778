// SPDX-License-Identifier: Apache-2.0
// The one file that knows oneDNN: v2 (Debian 12) and v3 (Ubuntu 24.04) differ in how a primitive is described.
#include "kernels/cpu/bf16_product.h"

#include <omp.h>

#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <string_view>
#include <unordered_map>

#include "kernels/core/check.h"

namespace percept {
namespace {

using dnnl::memory;

// Debian's oneDNN splits its loops with OpenMP; inside our tasks it must not.
class OneOpenMpThread {
 public:
  OneOpenMpThread() : before_(omp_get_max_threads()) {
    if (before_ != 1) {
      omp_set_num_threads(1);
    }
  }
  ~OneOpenMpThread() {
    if (before_ != 1) {
      omp_set_num_threads(before_);
    }
  }
  OneOpenMpThread(const OneOpenMpThread&) = delete;
  OneOpenMpThread& operator=(const OneOpenMpThread&) = delete;

 private:
  int before_;
};

const dnnl::engine& CpuEngine() {
  static const dnnl::engine kEngine(dnnl::engine::kind::cpu, 0);
  return kEngine;
}

dnnl::matmul::primitive_desc Describe(int64_t rows, int64_t depth, int64_t cols) {
  const memory::desc a({rows, depth}, memory::data_type::bf16, memory::format_tag::ab);
  const memory::desc b({depth, cols}, memory::data_type::bf16, memory::format_tag::BA16a64b2a);
  const memory::desc c({rows, cols}, memory::data_type::f32, memory::format_tag::ab);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
#if DNNL_VERSION_MAJOR >= 3
  return {CpuEngine(), a, b, c, attributes};
#else
  return {dnnl::matmul::desc(a, b, c), attributes, CpuEngine()};
#endif
}

}  // namespace

struct BF16Product::Primitive {
  dnnl::matmul::primitive_desc description;
  dnnl::matmul matmul;
  int64_t rows;
  int64_t cols;
};

struct BF16Product::Runner::Call {
  Call(const Primitive& primitive, std::byte* scratch)
      : matmul(primitive.matmul),
        stream(CpuEngine()),
        a(primitive.description.src_desc(), CpuEngine(), nullptr),
        b(primitive.description.weights_desc(), CpuEngine(), nullptr),
        c(primitive.description.dst_desc(), CpuEngine(), nullptr),
        scratchpad(primitive.description.scratchpad_desc(), CpuEngine(), scratch),
        args{{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}, {DNNL_ARG_SCRATCHPAD, scratchpad}} {}

  const dnnl::matmul& matmul;
  dnnl::stream stream;
  memory a, b, c, scratchpad;
  std::unordered_map<int, memory> args;
};

BF16Product::BF16Product(int64_t rows, int64_t depth, int64_t cols) {
  PERCEPT_CHECK(rows > 0 && depth > 0 && depth % 32 == 0 && cols > 0 && cols % 64 == 0);
  const OneOpenMpThread one_thread;
  dnnl::matmul::primitive_desc description = Describe(rows, depth, cols);
  dnnl::matmul matmul(description);
  primitive_ = std::make_unique<Primitive>(Primitive{std::move(description), std::move(matmul), rows, cols});
}

BF16Product::~BF16Product() = default;
BF16Product::BF16Product(BF16Product&& other) noexcept = default;
BF16Product& BF16Product::operator=(BF16Product&& other) noexcept = default;

int64_t BF16Product::rows() const { return primitive_->rows; }
int64_t BF16Product::cols() const { return primitive_->cols; }

bool BF16Product::native() const {
  const std::string_view name = primitive_->description.impl_info_str();
  return name.substr(0, 3) == "brg";
}

size_t BF16Product::scratch_bytes() const { return primitive_->description.scratchpad_desc().get_size(); }

BF16Product::Runner::Runner(const BF16Product& product, std::byte* scratch)
    : call_(std::make_unique<Call>(*product.primitive_, scratch)) {}
BF16Product::Runner::~Runner() = default;

void BF16Product::Runner::Run(const uint16_t* a, const std::byte* b, float* c) {
  const OneOpenMpThread one_thread;
  // oneDNN's handles are not const; a product writes only its destination.
  call_->a.set_data_handle(const_cast<uint16_t*>(a));
  call_->b.set_data_handle(const_cast<std::byte*>(b));
  call_->c.set_data_handle(c);
  call_->matmul.execute(call_->stream, call_->args);
}

}  // namespace percept
