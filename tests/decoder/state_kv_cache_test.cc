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
  void Append(KvCache& cache, int64_t rows) { Append(cache, rows, static_cast<float>(cache.num_positions())); }
  void Append(KvCache& cache, int64_t rows, float first) {
    for (const int layer_idx : {0, 1}) {
      cache.Store(layer_idx, cache.num_positions(), Filled(rows, 16, first).view(),
                  Filled(rows, 16, 1000.0F + first).view());
    }
    cache.Advance(rows);
  }

  // The keys of position p are p + shift, its values the negative of that.
  static void StoreUpTo(KvCache& cache, int64_t end, float shift = 0) {
    while (cache.num_positions() < end) {
      const float key = static_cast<float>(cache.num_positions()) + shift;
      for (const int layer_idx : {0, 1}) {
        cache.Store(layer_idx, cache.num_positions(), Filled(1, 16, key).view(), Filled(1, 16, -key).view());
      }
      cache.Advance(1);
    }
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

// Of every segment that can be, every number of rows is taken back: at the window's end, where rings begin anew, and
// over the ends of blocks.
TEST_F(StateKvCacheTest, RowsThatAreTakenBackLeaveWhatIsBehindThem) {
  for (int64_t rows = 1; rows <= kSegmentRows; ++rows) {
    for (int64_t kept = 1; kept <= rows; ++kept) {
      const std::unique_ptr<KvCache> cache = pool_.Reserve(200);
      while (cache->num_positions() + rows <= 140) {
        const int64_t first = cache->num_positions();
        Append(*cache, kept);
        Append(*cache, rows - kept, -1.0F);  // in one segment with those before
        cache->Retract(rows - kept);
        ASSERT_EQ(cache->num_positions(), first + kept);
        for (int64_t position = 0; position < first + kept; ++position) {
          const auto value = static_cast<float>(position);
          ASSERT_EQ(KeyAt(cache->View(1), position), value);
          if (position > first + kept - kWindow) {  // what the next row sees
            ASSERT_EQ(KeyAt(cache->View(0), position), value) << rows << " rows, " << kept << " kept";
            ASSERT_EQ(ValueAt(cache->View(0), position), 1000.0F + value);
          }
        }
      }
    }
  }
}

TEST_F(StateKvCacheTest, NoMoreIsTakenBackThanRingsBear) {
  const std::unique_ptr<KvCache> cache = pool_.Reserve(20);
  Append(*cache, 1);
  EXPECT_THROW(cache->Retract(2), InternalError);
  Append(*cache, kSegmentRows);
  EXPECT_THROW(cache->Retract(kSegmentRows), InternalError);
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

TEST_F(StateKvCacheTest, ASequenceGoesOnFromASnapshotAsTheOneItWasTakenFrom) {
  KvPool pool(SmallConfig(), kSegmentRows, 1 << 20);
  auto first = pool.Reserve(200);
  StoreUpTo(*first, 68);
  const auto snapshot = pool.ReserveSnapshot(66);
  ASSERT_NE(snapshot, nullptr);
  EXPECT_FALSE(snapshot->taken());
  snapshot->Take(*first);
  StoreUpTo(*first, 90);  // over what the ring held, and on in the snapshot's last block
  first.reset();
  const auto second = pool.Reserve(200, 10, snapshot.get());  // with a larger ring
  EXPECT_EQ(second->num_positions(), 66);
  for (int64_t position = 0; position < 66; ++position) {
    EXPECT_EQ(KeyAt(second->View(1), position), static_cast<float>(position)) << position;
    EXPECT_EQ(ValueAt(second->View(1), position), -static_cast<float>(position)) << position;
  }
  for (int64_t position = 66 - (kWindow - 1); position < 66; ++position) {
    EXPECT_EQ(KeyAt(second->View(0), position), static_cast<float>(position)) << position;
    EXPECT_EQ(ValueAt(second->View(0), position), -static_cast<float>(position)) << position;
  }
  StoreUpTo(*second, 68, 500);  // in a block of its own
  const auto third = pool.Reserve(200, 0, snapshot.get());
  StoreUpTo(*third, 67);
  EXPECT_EQ(KeyAt(second->View(1), 66), 566);
  EXPECT_EQ(KeyAt(third->View(1), 66), 66);
}

TEST_F(StateKvCacheTest, ABlockThatIsSharedCountsOnce) {
  KvPool pool(SmallConfig(), kSegmentRows, 1 << 20);
  const KvLayout& layout = pool.layout();
  auto first = pool.Reserve(128);
  StoreUpTo(*first, 70);
  auto snapshot = pool.ReserveSnapshot(70);
  snapshot->Take(*first);
  const int64_t copied = (kWindow - 1) * 2 * 16 * 4;
  EXPECT_EQ(snapshot->size_bytes(), 2 * layout.block_bytes() + copied);
  EXPECT_EQ(pool.reserved_bytes(), layout.SequenceBytes(128) + copied);
  auto second = pool.Reserve(128, 0, snapshot.get());
  EXPECT_EQ(pool.reserved_bytes(), 3 * layout.block_bytes() + 2 * layout.ring_bytes() + copied);
  first.reset();
  second.reset();
  EXPECT_EQ(pool.reserved_bytes(), snapshot->size_bytes());
  snapshot.reset();
  EXPECT_EQ(pool.reserved_bytes(), 0);
}

TEST_F(StateKvCacheTest, APoolTellsWhetherThereWouldBeRoomWithoutSnapshots) {
  const KvLayout layout(SmallConfig(), kSegmentRows);
  KvPool pool(SmallConfig(), kSegmentRows, 2 * layout.SequenceBytes(64));
  auto first = pool.Reserve(64);
  StoreUpTo(*first, 10);
  const auto snapshot = pool.ReserveSnapshot(10);
  snapshot->Take(*first);
  EXPECT_EQ(pool.Reserve(64), nullptr);
  EXPECT_TRUE(pool.HasRoomBesideCaches(64, 0));
  EXPECT_FALSE(pool.HasRoomBesideCaches(65, 0));
  first.reset();  // its block is the snapshot's now
  EXPECT_NE(pool.Reserve(20, 0, snapshot.get()), nullptr);
  KvPool tiny(SmallConfig(), kSegmentRows, 100);
  EXPECT_EQ(tiny.ReserveSnapshot(10), nullptr);
  EXPECT_THROW(tiny.ReserveSnapshot(0), ArgumentError);
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
