// SPDX-License-Identifier: Apache-2.0
#include "encoders/vision/byte_transpose.h"

#include <cstring>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace percept {
namespace {

// out[r][c] = in[c][r] for 16 x 16 bytes.
#if defined(__x86_64__)
void TransposeTile(const uint8_t* const in[kTransposeSide], uint8_t* const out[kTransposeSide]) {
  __m128i rows[kTransposeSide];
  for (int r = 0; r < kTransposeSide; ++r) rows[r] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in[r]));
  // Shuffling row r with row r + 8 rotates the index (row, column) by one bit; four times swaps row and column.
  for (int stage = 0; stage < 4; ++stage) {
    __m128i shuffled[kTransposeSide];
    for (int r = 0; r < kTransposeSide / 2; ++r) {
      shuffled[2 * r] = _mm_unpacklo_epi8(rows[r], rows[r + kTransposeSide / 2]);
      shuffled[2 * r + 1] = _mm_unpackhi_epi8(rows[r], rows[r + kTransposeSide / 2]);
    }
    std::memcpy(rows, shuffled, sizeof(rows));
  }
  for (int r = 0; r < kTransposeSide; ++r) _mm_storeu_si128(reinterpret_cast<__m128i*>(out[r]), rows[r]);
}
#else
void TransposeTile(const uint8_t* const in[kTransposeSide], uint8_t* const out[kTransposeSide]) {
  for (int r = 0; r < kTransposeSide; ++r) {
    for (int c = 0; c < kTransposeSide; ++c) out[r][c] = in[c][r];
  }
}
#endif

}  // namespace

void TransposeRows(const uint8_t* const rows[kTransposeSide], int64_t num_columns, uint8_t* out) {
  const uint8_t* tile_rows[kTransposeSide];
  uint8_t* tile_out[kTransposeSide];
  int64_t column = 0;
  for (; column + kTransposeSide <= num_columns; column += kTransposeSide) {
    for (int r = 0; r < kTransposeSide; ++r) {
      tile_rows[r] = rows[r] + column;
      tile_out[r] = out + (column + r) * kTransposeSide;
    }
    TransposeTile(tile_rows, tile_out);
  }
  for (; column < num_columns; ++column) {
    for (int r = 0; r < kTransposeSide; ++r) out[column * kTransposeSide + r] = rows[r][column];
  }
}

void UntransposeRows(const uint8_t* in, int64_t num_columns, int64_t num_rows, uint8_t* const rows[kTransposeSide]) {
  const uint8_t* tile_in[kTransposeSide];
  uint8_t* tile_rows[kTransposeSide];
  uint8_t spare[kTransposeSide];
  int64_t column = 0;
  for (; column + kTransposeSide <= num_columns; column += kTransposeSide) {
    for (int r = 0; r < kTransposeSide; ++r) {
      tile_in[r] = in + (column + r) * kTransposeSide;
      tile_rows[r] = r < num_rows ? rows[r] + column : spare;
    }
    TransposeTile(tile_in, tile_rows);
  }
  for (; column < num_columns; ++column) {
    for (int64_t r = 0; r < num_rows; ++r) rows[r][column] = in[column * kTransposeSide + r];
  }
}

}  // namespace percept
