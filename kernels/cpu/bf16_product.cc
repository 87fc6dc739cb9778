// SPDX-License-Identifier: Apache-2.0
// The one file that knows oneDNN: v2 (Debian 12) and v3 (Ubuntu 24.04) differ in how a primitive is described.
#include "kernels/cpu/bf16_product.h"

#include <omp.h>

#include <array>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/core/error.h"

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

// The memory objects that a product is run with, made once and pointed at new buffers for each run.
struct BF16Product::Arguments {
  explicit Arguments(const dnnl::matmul::primitive_desc& description)
      : stream(CpuEngine()),
        a(description.src_desc(), CpuEngine(), nullptr),
        b(description.weights_desc(), CpuEngine(), nullptr),
        c(description.dst_desc(), CpuEngine(), nullptr),
        scratchpad(description.scratchpad_desc(), CpuEngine(), nullptr),
        list{{{DNNL_ARG_SRC, a.get()},
              {DNNL_ARG_WEIGHTS, b.get()},
              {DNNL_ARG_DST, c.get()},
              {DNNL_ARG_SCRATCHPAD, scratchpad.get()}}} {}

  dnnl::stream stream;
  memory a, b, c, scratchpad;
  std::array<dnnl_exec_arg_t, 4> list;
};

struct BF16Product::Primitive {
  dnnl::matmul::primitive_desc description;
  dnnl::matmul matmul;
  int64_t rows;
  int64_t cols;
  std::mutex mutex;
  std::vector<std::unique_ptr<Arguments>> idle;  // guarded by mutex
};

BF16Product::BF16Product(std::unique_ptr<Primitive> primitive) : primitive_(std::move(primitive)) {}

std::optional<BF16Product> BF16Product::Make(int64_t rows, int64_t depth, int64_t cols, int64_t num_runners) {
  PERCEPT_CHECK(rows > 0 && depth > 0 && depth % 32 == 0 && cols > 0 && cols % 64 == 0);
  const OneOpenMpThread one_thread;
  auto primitive = std::make_unique<Primitive>();
  primitive->rows = rows;
  primitive->cols = cols;
  try {
    primitive->description = Describe(rows, depth, cols);
    const std::string_view name = primitive->description.impl_info_str();
    if (name.substr(0, 3) != "brg") {
      return std::nullopt;
    }
    primitive->matmul = dnnl::matmul(primitive->description);
    primitive->idle.reserve(static_cast<size_t>(num_runners));
    for (int64_t i = 0; i < num_runners; ++i) {
      primitive->idle.push_back(std::make_unique<Arguments>(primitive->description));
    }
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented) {
      return std::nullopt;
    }
    throw InternalError("oneDNN cannot make a product of " + std::to_string(rows) + " x " + std::to_string(depth) +
                        " x " + std::to_string(cols) + ": " + error.what());
  }
  return BF16Product(std::move(primitive));
}

BF16Product::~BF16Product() = default;
BF16Product::BF16Product(BF16Product&& other) noexcept = default;
BF16Product& BF16Product::operator=(BF16Product&& other) noexcept = default;

int64_t BF16Product::rows() const { return primitive_->rows; }
int64_t BF16Product::cols() const { return primitive_->cols; }
size_t BF16Product::scratch_bytes() const { return primitive_->description.scratchpad_desc().get_size(); }

BF16Product::Runner::Runner(const BF16Product& product, std::byte* scratch) : primitive_(*product.primitive_) {
  {
    const std::lock_guard lock(primitive_.mutex);
    if (!primitive_.idle.empty()) {
      arguments_ = std::move(primitive_.idle.back());
      primitive_.idle.pop_back();
    }
  }
  if (arguments_ == nullptr) {
    arguments_ = std::make_unique<Arguments>(primitive_.description);
  }
  arguments_->scratchpad.set_data_handle(scratch);
}

BF16Product::Runner::~Runner() {
  const std::lock_guard lock(primitive_.mutex);
  primitive_.idle.push_back(std::move(arguments_));
}

void BF16Product::Runner::Run(const uint16_t* a, const std::byte* b, float* c) {
  const OneOpenMpThread one_thread;
  // oneDNN's handles are not const; a product writes only its destination.
  arguments_->a.set_data_handle(const_cast<uint16_t*>(a));
  arguments_->b.set_data_handle(const_cast<std::byte*>(b));
  arguments_->c.set_data_handle(c);
  const dnnl_status_t status =
      dnnl_primitive_execute(primitive_.matmul.get(), arguments_->stream.get(),
                             static_cast<int>(arguments_->list.size()), arguments_->list.data());
  PERCEPT_CHECK(status == dnnl_success);
}

}  // namespace percept
