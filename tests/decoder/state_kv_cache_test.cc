// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "decoder/state/activations.h"
#include "decoder/state/kv_cache.h"
#include "kernels/core/error.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

constexpr int64_t kSegmentRows = 3;
constexpr int64_t kWindow = 4;

// sliding, full, sliding reading layer 0, full reading layer 1
TextConfig SmallConfig() {
  TextConfig config;
  config.hidden_size = 16;
  config.vocab_size = 8;
  config.num_heads = 2;
  config.sliding_window = kWindow;
  config.ropes = {{RopeKind::kDefault, 10000.0, 1.0, 8}, {RopeKind::kProportional, 1e6, 0.25, 16}};
  const LayerConfig sliding{.kind = AttentionKind::kSliding,
                            .head_dim = 8,
                            .num_kv_heads = 2,
                            .rope_idx = 0,
                            .mlp_width = 32,
                            .kv_layer_idx = 0};
  const LayerConfig full{.kind = AttentionKind::kFull,
                         .head_dim = 16,
                         .num_kv_heads = 1,
                         .rope_idx = 1,
                         .mlp_width = 32,
                         .kv_layer_idx = 1};
  config.layers = {sliding, full, sliding, full};
  return config;
}

// Row r holds value + r everywhere.
Matrix Filled(int64_t rows, int64_t cols, float value) {
  Matrix matrix(rows, cols);
  for (int64_t r = 0; r < rows; ++r) {
    std::fill_n(matrix.view().row(r), cols, value + static_cast<float>(r));
  }
  return matrix;
}

float KeyAt(const ops::KeyValueView& view, int64_t position) {
  const int64_t slot = position % view.capacity;
  return view.k_blocks[slot / view.block_rows][slot % view.block_rows * view.kv_heads * view.head_dim];
}

float ValueAt(const ops::KeyValueView& view, int64_t position) {
  const int64_t slot = position % view.capacity;
  return view.v_blocks[slot / view.block_rows][slot % view.block_rows * view.kv_heads * view.head_dim];
}

class StateKvCacheTest : public testing::Test {
 protected:
  // Keys of position p are p, its values 1000 + p.
  void Append(KvCache& cache, int64_t rows) {
    const float first = static_cast<float>(cache.num_positions());
    for (const int layer_idx : {0, 1}) {
      cache.Store(layer_idx, cache.num_positions(), Filled(rows, 16, first).view(),
                  Filled(rows, 16, 1000.0F + first).view());
    }
    cache.Advance(rows);
  }

  TextConfig config_ = SmallConfig();
  KvPool pool_{config_, kSegmentRows, 1 << 20};
};

TEST_F(StateKvCacheTest, ARingKeepsTheWindowBehindEveryRowOfASegment) {
  const std::unique_ptr<KvCache> cache = pool_.Reserve(200);
  EXPECT_EQ(cache->View(0).capacity, kWindow - 1 + kSegmentRows);
  for (int step = 0; step < 60; ++step) {
    const int64_t rows = 1 + step % kSegmentRows;
    Append(*cache, rows);
    const int64_t end = cache->num_positions();
    for (int64_t position = std::max<int64_t>(0, end - rows - kWindow + 1); position < end; ++position) {
      ASSERT_EQ(KeyAt(cache->View(0), position), static_cast<float>(position)) << "after " << end;
      ASSERT_EQ(ValueAt(cache->View(0), position), 1000.0F + static_cast<float>(position)) << "after " << end;
    }
  }
}

TEST_F(StateKvCacheTest, ASequenceWithLongerSegmentsHasLargerRings) {
  const std::unique_ptr<KvCache> cache = pool_.Reserve(200, /*segment_rows=*/2 * kSegmentRows);
  EXPECT_EQ(cache->View(0).capacity, kWindow - 1 + 2 * kSegmentRows);
  EXPECT_EQ(cache->size_bytes(), KvBytesNeeded(config_, 200, 2 * kSegmentRows));
  Append(*cache, 2 * kSegmentRows);
  for (int64_t position = 0; position < cache->num_positions(); ++position) {
    ASSERT_EQ(KeyAt(cache->View(0), position), static_cast<float>(position));
  }
  EXPECT_EQ(pool_.Reserve(200)->View(0).capacity, kWindow - 1 + kSegmentRows);
}

TEST_F(StateKvCacheTest, AFullLayerKeepsAllPositionsOverSeveralBlocks) {
  const std::unique_ptr<KvCache> cache = pool_.Reserve(200);
  while (cache->num_positions() < 198) {
    Append(*cache, kSegmentRows);
  }
  EXPECT_EQ(cache->View(1).capacity, 256);
  EXPECT_EQ(cache->View(1).block_rows, KvLayout::kBlockRows);
  for (int64_t position = 0; position < cache->num_positions(); ++position) {
    ASSERT_EQ(KeyAt(cache->View(1), position), static_cast<float>(position));
    ASSERT_EQ(ValueAt(cache->View(1), position), 1000.0F + static_cast<float>(position));
  }
}

TEST_F(StateKvCacheTest, ALayerWithoutKeysReadsItsDonorsAndNeverWritesThem) {
  const std::unique_ptr<KvCache> cache = pool_.Reserve(64);
  EXPECT_EQ(cache->View(2).k_blocks[0], cache->View(0).k_blocks[0]);
  EXPECT_EQ(cache->View(3).v_blocks[0], cache->View(1).v_blocks[0]);
  EXPECT_EQ(cache->View(3).head_dim, 16);
  EXPECT_THROW(cache->Store(2, 0, Filled(1, 16, 0).view(), Filled(1, 16, 0).view()), InternalError);
}

TEST_F(StateKvCacheTest, NothingIsStoredOutsideTheReservedRoom) {
  const std::unique_ptr<KvCache> cache = pool_.Reserve(4);
  Append(*cache, 3);
  EXPECT_THROW(Append(*cache, 2), InternalError);
  EXPECT_THROW(Append(*cache, kSegmentRows + 1), InternalError);
  EXPECT_THROW(cache->Advance(2), InternalError);
  EXPECT_EQ(cache->num_positions(), 3);
}

TEST_F(StateKvCacheTest, BytesAreThoseOfRingsAndBlocks) {
  // one ring of 6 rows and one full layer in blocks of 64 rows, 16 floats wide, keys and values
  constexpr int64_t kRing = 2 * 6 * 16 * 4;
  constexpr int64_t kBlock = 2 * 64 * 16 * 4;
  EXPECT_EQ(KvBytesNeeded(config_, 1, kSegmentRows), kRing + kBlock);
  EXPECT_EQ(KvBytesNeeded(config_, 64, kSegmentRows), kRing + kBlock);
  EXPECT_EQ(KvBytesNeeded(config_, 65, kSegmentRows), kRing + 2 * kBlock);
  const std::unique_ptr<KvCache> cache = pool_.Reserve(65);
  EXPECT_EQ(cache->size_bytes(), kRing + 2 * kBlock);
  EXPECT_EQ(pool_.reserved_bytes(), kRing + 2 * kBlock);
}

TEST_F(StateKvCacheTest, APoolAnswersNothingYetUntilASequenceEnds) {
  KvPool pool(config_, kSegmentRows, 2 * KvBytesNeeded(config_, 64, kSegmentRows));
  std::unique_ptr<KvCache> first = pool.Reserve(64);
  const std::unique_ptr<KvCache> second = pool.Reserve(64);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(pool.Reserve(1), nullptr);
  first.reset();
  EXPECT_NE(pool.Reserve(64), nullptr);
}

TEST_F(StateKvCacheTest, ASequenceThatCanNeverFitIsRefusedWithBothNumbers) {
  KvPool pool(config_, kSegmentRows, KvBytesNeeded(config_, 64, kSegmentRows));
  try {
    pool.Reserve(65);
    FAIL() << "not refused";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "a sequence of 65 tokens needs 17152 bytes for its keys and values, the KV limit is 8960");
  }
  EXPECT_EQ(pool.reserved_bytes(), 0);
  EXPECT_THROW(pool.Reserve(0), ArgumentError);
  EXPECT_THROW(KvPool(config_, kSegmentRows, 0), ArgumentError);
  EXPECT_THROW(KvPool(config_, 0, 1 << 20), ArgumentError);
}

TEST_F(StateKvCacheTest, BytesOfALargeModelFollowTheSpecification) {
  PERCEPT_NEED_SHARED();
  // e2b golden: 4 sliding and 1 full layer own keys and values, 1 head of 16 and 32
  const TextConfig config = ReadTextConfig(SharedDir() / "goldens" / "variants" / "e2b" / "config.json");
  EXPECT_EQ(KvBytesNeeded(config, 100, 32), 4 * 2 * (15 + 32) * 16 * 4 + 2 * (2 * 64 * 32 * 4));
}

TEST_F(StateKvCacheTest, ScratchBytesAreThoseOfTheMatrices) {
  const StepLimits limits{.max_rows = 8, .max_segments = 2, .max_output_rows = 2, .max_positions = 64};
  const Activations act(config_, limits);
  size_t bytes = act.scratch.capacity_bytes();
  for (const Matrix* matrix : {&act.x, &act.normed, &act.branch, &act.q, &act.k, &act.v, &act.attended, &act.gate,
                               &act.up, &act.per_layer, &act.ple, &act.hidden, &act.logits}) {
    bytes += matrix->size_bytes();
  }
  const size_t angles = 2 * 2 * 8 * 16 * sizeof(float);  // two tables of cos and sin, rows padded to 16 floats
  EXPECT_EQ(static_cast<size_t>(Activations::BytesNeeded(config_, limits)), bytes + angles);
}

}  // namespace
}  // namespace percept
