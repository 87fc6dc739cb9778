// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/core/error.h"
#include "kernels/ops/rope.h"
#include "tests/support/closeness.h"
#include "tests/support/golden_file.h"
#include "tests/support/isa_caps.h"
#include "tests/support/random_matrix.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

struct HeadForm {
  int64_t heads;
  int64_t head_dim;
  int64_t sections;
};

void PrintTo(const HeadForm& form, std::ostream* out) {
  *out << form.heads << "x" << form.head_dim << " in " << form.sections;
}

class Rope : public testing::TestWithParam<std::tuple<Isa, HeadForm>> {};

TEST_P(Rope, RotatesPairsOfEachSection) {
  const auto& [isa, form] = GetParam();
  constexpr int64_t kRows = 40;
  const int64_t pairs = form.head_dim / form.sections / 2;
  const Matrix x = RandomMatrix(kRows, form.heads * form.head_dim, 1);
  const Matrix cos = RandomMatrix(kRows, form.head_dim / 2, 2);
  const Matrix sin = RandomMatrix(kRows, form.head_dim / 2, 3);
  const Matrix y = CopyOf(x.view());
  ops::Rope({.isa = isa, .mode = Mode::kExact}, y.view(), form.heads, form.head_dim, form.sections, cos.view(),
            sin.view());
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t lane = 0; lane < form.heads * form.head_dim; ++lane) {
      const int64_t in_head = lane % form.head_dim;
      const int64_t section = in_head / (2 * pairs);
      const int64_t in_section = in_head % (2 * pairs);
      const int64_t angle = section * pairs + in_section % pairs;
      const double c = cos.view().row(r)[angle];
      const double s = sin.view().row(r)[angle];
      const float* row = x.view().row(r) + lane;
      const double want = in_section < pairs ? row[0] * c - row[pairs] * s : row[0] * c + row[-pairs] * s;
      ASSERT_NEAR(y.view().row(r)[lane], want, 1e-6 * std::max(1.0, std::abs(want))) << "row " << r << " lane " << lane;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Rope,
                         testing::Combine(testing::ValuesIn(RunnableIsas()),
                                          testing::Values(HeadForm{1, 256, 1}, HeadForm{2, 512, 1}, HeadForm{4, 16, 1},
                                                          HeadForm{12, 64, 2}, HeadForm{16, 72, 2}, HeadForm{4, 20, 2},
                                                          HeadForm{1, 2, 1})),
                         [](const auto& test) {
                           const HeadForm form = std::get<1>(test.param);
                           return IsaSuffix(std::get<0>(test.param)) + "_" + std::to_string(form.heads) + "x" +
                                  std::to_string(form.head_dim) + "in" + std::to_string(form.sections);
                         });

TEST(RopeChecks, ShapesThatDoNotFitAreABug) {
  const Matrix x = RandomMatrix(2, 36, 1);
  const Matrix angles = RandomMatrix(2, 9, 2);
  EXPECT_NO_THROW(ops::Rope({}, x.view(), 2, 18, 1, angles.view(), angles.view()));
  EXPECT_THROW(ops::Rope({}, x.view(), 2, 18, 2, angles.view(), angles.view()), InternalError);
  EXPECT_THROW(ops::Rope({}, x.view(), 3, 18, 1, angles.view(), angles.view()), InternalError);
  EXPECT_THROW(ops::RopeFrequencies(7, 100.0), InternalError);
}

TEST(RopeFrequencies, ProportionalFormLeavesTheRestAtZero) {
  const std::vector<float> frequencies = ops::RopeFrequencies(512, 1e6, 0.25);
  ASSERT_EQ(frequencies.size(), 256u);
  EXPECT_EQ(frequencies[0], 1.0f);
  EXPECT_NEAR(frequencies[1], 0.947464, 1e-6);
  EXPECT_NEAR(frequencies[63], 0.0333762, 1e-7);
  EXPECT_EQ(frequencies[64], 0.0f);
  EXPECT_EQ(frequencies[255], 0.0f);
}

struct Table {
  std::string name;
  int64_t head_dim;
  double theta;
  double rotated_fraction;
};

class RopeTables : public testing::Test {
 protected:
  void SetUp() override {
    PERCEPT_NEED_SHARED();
    golden_ = std::make_unique<GoldenFile>(SharedDir() / "goldens/real/tables.safetensors");
  }

  // The reference's power function is off by a last digit in two places of 416.
  void ExpectFrequencies(const Table& table) const {
    const std::vector<float> golden = golden_->Floats(table.name + ".inv_freq");
    const std::vector<float> ours = ops::RopeFrequencies(table.head_dim, table.theta, table.rotated_fraction);
    ASSERT_EQ(ours.size(), golden.size());
    int64_t unequal = 0;
    for (size_t i = 0; i < golden.size(); ++i) {
      EXPECT_NEAR(ours[i], golden[i], golden[i] * std::numeric_limits<float>::epsilon()) << table.name << " " << i;
      unequal += ours[i] == golden[i] ? 0 : 1;
    }
    EXPECT_LE(unequal, 1) << table.name;
  }

  std::unique_ptr<GoldenFile> golden_;
};

TEST_F(RopeTables, TextHeadsAtFarPositions) {
  for (const Table& table : {Table{"rope.sliding", 256, 1e4, 1.0}, Table{"rope.full", 512, 1e6, 0.25}}) {
    ExpectFrequencies(table);
    const std::vector<int64_t> positions = golden_->Integers("positions");
    const auto num_positions = static_cast<int64_t>(positions.size());
    const Matrix cos(num_positions, table.head_dim / 2);
    const Matrix sin(num_positions, table.head_dim / 2);
    ops::RopeAngles(positions, golden_->Floats(table.name + ".inv_freq"), cos.view(), sin.view());
    EXPECT_LE(MaxAbsDifference(cos.view(), golden_->Floats(table.name + ".cos")), 1e-6) << table.name;
    EXPECT_LE(MaxAbsDifference(sin.view(), golden_->Floats(table.name + ".sin")), 1e-6) << table.name;
  }
}

// The reference's tables hold a value per lane: section x twice, then section y twice.
TEST_F(RopeTables, VisionHeadsOfBothAxes) {
  const std::vector<int64_t> positions = golden_->Integers("vision.positions");  // [n, 2]
  const auto num_positions = static_cast<int64_t>(positions.size()) / 2;
  for (const int64_t head_dim : {64, 72}) {
    const std::string name = "vision." + std::to_string(head_dim);
    ExpectFrequencies({name, head_dim / 2, 100.0, 1.0});
    const std::vector<float> frequencies = ops::RopeFrequencies(head_dim / 2, 100.0);
    const Matrix cos(num_positions, head_dim);
    const Matrix sin(num_positions, head_dim);
    const int64_t pairs = head_dim / 4;
    for (int64_t quarter = 0; quarter < 4; ++quarter) {
      std::vector<int64_t> axis;
      for (int64_t i = 0; i < num_positions; ++i) {
        axis.push_back(positions[static_cast<size_t>(2 * i + quarter / 2)]);
      }
      const auto part = [&](const Matrix& m) {
        return MatrixView{m.view().data + quarter * pairs, num_positions, pairs, m.view().stride};
      };
      ops::RopeAngles(axis, frequencies, part(cos), part(sin));
    }
    EXPECT_LE(MaxAbsDifference(cos.view(), golden_->Floats(name + ".cos")), 1e-6) << name;
    EXPECT_LE(MaxAbsDifference(sin.view(), golden_->Floats(name + ".sin")), 1e-6) << name;
  }
}

}  // namespace
}  // namespace percept
