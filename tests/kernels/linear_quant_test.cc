// SPDX-License-Identifier: Apache-2.0
// Linear on quantised weights against plain loops: exact mode against the dequantised values, fast mode against the
// integers that activations are rounded to.
#include <gtest/gtest.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/ops/linear.h"
#include "tests/kernels/linear_cases.h"
#include "tests/kernels/quantized_weight.h"
#include "tests/support/test_context.h"

namespace percept::ops {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

enum class Storage { kPacked, kMapped };

LinearWeight WeightOf(const KernelContext& context, const ConstTensor& tensor, Storage storage) {
  return storage == Storage::kPacked ? LinearWeight::Packed(context, tensor) : LinearWeight::Mapped(tensor);
}

Matrix Multiply(const KernelContext& context, const LinearWeight& weight, ConstMatrixView x) {
  Arena scratch(LinearScratchBytes(x.rows, weight.in_features(), weight.out_features()));
  Matrix y(x.rows, weight.out_features());
  std::fill_n(y.view().data, y.size_bytes() / sizeof(float), kNan);
  Linear(context, weight, x, y.view(), scratch);
  return y;
}

// The activations that fast mode multiplies with: 32 neighbours share the scale that takes the largest to 127.
std::vector<double> Rounded(const float* x, int64_t count, const ClipBounds& clip) {
  std::vector<double> values;
  for (int64_t first = 0; first < count; first += 32) {
    double largest = 0.0;
    for (int64_t i = first; i < first + 32; ++i) {
      largest = std::max(largest, std::abs(std::clamp<double>(x[i], clip.input_min, clip.input_max)));
    }
    for (int64_t i = first; i < first + 32; ++i) {
      const double clamped = std::clamp<double>(x[i], clip.input_min, clip.input_max);
      values.push_back(largest == 0.0 ? 0.0 : std::nearbyint(clamped / largest * 127.0) * (largest / 127.0));
    }
  }
  return values;
}

std::vector<double> Inputs(Mode mode, const float* x, int64_t count, const ClipBounds& clip) {
  if (mode == Mode::kFast) {
    return Rounded(x, count, clip);
  }
  std::vector<double> values(x, x + count);
  for (double& value : values) {
    value = std::clamp<double>(value, clip.input_min, clip.input_max);
  }
  return values;
}

// |error| <= 2e-6 * sum |x w|; in fast mode one activation in a hundred may lie so near the middle of two integers that
// float and double round it apart.
void ExpectProduct(Mode mode, const QuantizedWeight& weight, ConstMatrixView x, const ClipBounds& clip,
                   ConstMatrixView y) {
  for (int64_t r = 0; r < x.rows; ++r) {
    const std::vector<double> input = Inputs(mode, x.row(r), x.cols, clip);
    for (int64_t n = 0; n < y.cols; ++n) {
      double sum = 0;
      double magnitude = 0;
      for (int64_t k = 0; k < x.cols; ++k) {
        const double product = input[static_cast<size_t>(k)] * weight.row(n)[k];
        sum += product;
        magnitude += std::abs(product);
      }
      const double tolerance = mode == Mode::kFast ? 2e-4 : 2e-6;
      const double expected = std::clamp<double>(sum, clip.output_min, clip.output_max);
      ASSERT_NEAR(y.row(r)[n], expected, tolerance * magnitude + 1e-9) << "row " << r << ", output " << n;
    }
  }
}

struct QuantShape {
  int64_t rows, in, out;
};

constexpr QuantShape kShapes[] = {{1, 256, 16}, {1, 1536, 200}, {2, 512, 3},   {3, 256, 65},  {7, 768, 31},
                                  {8, 256, 64}, {13, 512, 130}, {98, 256, 40}, {200, 256, 17}};
// Types with small blocks take these too.
constexpr QuantShape kNarrowShapes[] = {{1, 32, 1}, {5, 96, 33}, {9, 288, 70}, {6, 1056, 18}};

class LinearQuantTest : public testing::TestWithParam<std::tuple<Isa, Mode, DType, Storage>> {
 protected:
  KernelContext context() const { return MakeKernelContext(std::get<Mode>(GetParam()), std::get<Isa>(GetParam())); }
  DType dtype() const { return std::get<DType>(GetParam()); }
  Storage storage() const { return std::get<Storage>(GetParam()); }
  std::vector<QuantShape> Shapes() const {
    std::vector<QuantShape> shapes(std::begin(kShapes), std::end(kShapes));
    if (Traits(dtype()).block_elements == 32) {
      shapes.insert(shapes.end(), std::begin(kNarrowShapes), std::end(kNarrowShapes));
    }
    return shapes;
  }
};

TEST_P(LinearQuantTest, EqualsTheDoubleReference) {
  for (const QuantShape& shape : Shapes()) {
    SCOPED_TRACE(std::to_string(shape.rows) + " x " + std::to_string(shape.in) + " x " + std::to_string(shape.out));
    const QuantizedWeight weight(dtype(), shape.out, shape.in, 1);
    const Matrix x = RandomMatrix(shape.rows, shape.in, 2);
    const Matrix y = Multiply(context(), WeightOf(context(), weight.tensor(), storage()), x.view());
    ExpectProduct(context().mode, weight, x.view(), {}, y.view());
  }
}

TEST_P(LinearQuantTest, EveryRowCountAndThreadCountGivesTheSameBits) {
  constexpr int64_t kMaxRows = 26;
  constexpr int64_t kOut = 150;
  const QuantizedWeight weight(dtype(), kOut, 768, 3);
  const LinearWeight linear = WeightOf(context(), weight.tensor(), storage());
  const Matrix x = RandomMatrix(kMaxRows, 768, 4);
  const Matrix all = Multiply(context(), linear, x.view());
  for (int64_t rows = 1; rows <= kMaxRows; ++rows) {
    const int64_t first = kMaxRows - rows;
    const Matrix some = Multiply(context(), linear, x.Rows(first, rows));
    for (int64_t r = 0; r < rows; ++r) {
      ASSERT_TRUE(SameBits(some.view().row(r), all.view().row(first + r), kOut)) << rows << " rows, row " << r;
    }
  }
  tbb::task_arena arena(3);
  const Matrix more = arena.execute([&] { return Multiply(context(), linear, x.view()); });
  for (int64_t r = 0; r < kMaxRows; ++r) {
    ASSERT_TRUE(SameBits(more.view().row(r), all.view().row(r), kOut)) << "three threads, row " << r;
  }
}

TEST_P(LinearQuantTest, ClampsInputAndOutput) {
  if (storage() == Storage::kMapped) {
    return;  // a mapped weight has no bounds
  }
  const ClipBounds clip{-0.75f, 1.25f, -2.5f, 3.0f};
  const QuantizedWeight weight(dtype(), 70, 512, 5);
  const Matrix x = RandomMatrix(11, 512, 6);
  const Matrix y = Multiply(context(), LinearWeight::Packed(context(), weight.tensor(), clip), x.view());
  ExpectProduct(context().mode, weight, x.view(), clip, y.view());
}

TEST_P(LinearQuantTest, WritesOnlyItsColumns) {
  const QuantizedWeight weight(dtype(), 70, 256, 7);
  const LinearWeight linear = WeightOf(context(), weight.tensor(), storage());
  for (const int64_t rows : {1, 9}) {
    const Matrix x = RandomMatrix(rows, 256, 8);
    Matrix wide(rows, 96);
    std::fill_n(wide.view().data, wide.size_bytes() / sizeof(float), 7.0f);
    Arena scratch(LinearScratchBytes(rows, 256, 70));
    Linear(context(), linear, x.view(), {wide.view().data, rows, 70, wide.view().stride}, scratch);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 70; c < 96; ++c) {
        ASSERT_EQ(wide.view().row(r)[c], 7.0f) << "row " << r << " column " << c;
      }
    }
  }
}

TEST_P(LinearQuantTest, ARowThatIsNotFiniteStaysSo) {
  const QuantizedWeight weight(dtype(), 20, 512, 9);
  const LinearWeight linear = WeightOf(context(), weight.tensor(), storage());
  for (const float bad : {kInfinity, -kInfinity, kNan}) {
    Matrix x = RandomMatrix(3, 512, 10);
    x.view().row(1)[300] = bad;
    const Matrix y = Multiply(context(), linear, x.view());
    for (int64_t n = 0; n < 20; ++n) {
      ASSERT_TRUE(std::isfinite(y.view().row(0)[n]) && std::isfinite(y.view().row(2)[n])) << n;
      if (weight.row(n)[300] != 0.0f) {
        ASSERT_FALSE(std::isfinite(y.view().row(1)[n])) << bad << ", output " << n;
      }
    }
  }
}

TEST_P(LinearQuantTest, TinyAndZeroRowsAreNearZero) {
  const QuantizedWeight weight(dtype(), 20, 256, 11);
  const LinearWeight linear = WeightOf(context(), weight.tensor(), storage());
  for (const float value : {0.0f, 1e-39f, -1e-42f, 1e-36f}) {
    Matrix x(2, 256);
    std::fill_n(x.view().data, 2 * x.view().stride, value);
    const Matrix y = Multiply(context(), linear, x.view());
    for (int64_t n = 0; n < 20; ++n) {
      ASSERT_NEAR(y.view().row(0)[n], 0.0f, 1e-30f) << value << ", output " << n;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, LinearQuantTest,
                         testing::Combine(testing::ValuesIn(TestableIsas(TestMaxIsa())),
                                          testing::Values(Mode::kExact, Mode::kFast),
                                          testing::ValuesIn(kQuantizedTypes),
                                          testing::Values(Storage::kPacked, Storage::kMapped)));

// No sum of integers overflows: the largest codes with the largest activations, of one sign and of both.
TEST(LinearQuant, TheLargestIntegersAreSummedExactly) {
  Matrix x(7, 512);
  for (int64_t r = 0; r < 7; ++r) {
    for (int64_t k = 0; k < 512; ++k) {
      x.view().row(r)[k] = r == 0 || (r > 1 && k % r == 0) ? 1.0f : -1.0f;
    }
  }
  for (const Isa isa : TestableIsas(TestMaxIsa())) {
    const KernelContext context = MakeKernelContext(Mode::kFast, isa);
    for (const DType dtype : kQuantizedTypes) {
      for (const uint8_t byte : {0xff, 0x80, 0x7f, 0x00}) {
        SCOPED_TRACE(std::string(IsaName(isa)) + ", " + std::string(Traits(dtype).name) + ", " + std::to_string(byte));
        const QuantizedWeight weight(dtype, 16, 512, 1, byte);
        const Matrix y = Multiply(context, LinearWeight::Packed(context, weight.tensor()), x.view());
        ExpectProduct(Mode::kFast, weight, x.view(), {}, y.view());
      }
    }
  }
}

TEST(LinearQuant, MappedAndPackedWeightsGiveTheSameBits) {
  for (const Mode mode : {Mode::kExact, Mode::kFast}) {
    const KernelContext context = TestContext(mode);
    for (const DType dtype : kQuantizedTypes) {
      const QuantizedWeight weight(dtype, 50, 1280, 12);
      const Matrix x = RandomMatrix(5, 1280, 13);
      const Matrix packed = Multiply(context, LinearWeight::Packed(context, weight.tensor()), x.view());
      const Matrix mapped = Multiply(context, LinearWeight::Mapped(weight.tensor()), x.view());
      for (int64_t r = 0; r < 5; ++r) {
        ASSERT_TRUE(SameBits(packed.view().row(r), mapped.view().row(r), 50)) << Traits(dtype).name << " row " << r;
      }
    }
  }
}

TEST(LinearQuant, PackedWeightsAreOneHundredthLargerThanTheirFileAtMost) {
  const KernelContext context = TestContext(Mode::kFast);
  for (const DType dtype : kQuantizedTypes) {
    const QuantizedWeight weight(dtype, 64, 1536, 14);
    const auto file_bytes = static_cast<size_t>(weight.tensor().size_bytes()) + (dtype == DType::kInt4 ? 64 * 96 : 0);
    const size_t owned = LinearWeight::Packed(context, weight.tensor()).owned_bytes();
    EXPECT_GE(owned, file_bytes) << Traits(dtype).name;
    EXPECT_LE(owned, file_bytes + file_bytes / 100) << Traits(dtype).name;
  }
}

}  // namespace
}  // namespace percept::ops
