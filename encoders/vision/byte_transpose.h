// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace percept {

inline constexpr int kTransposeSide = 16;

// Writes the transpose of 16 rows of `num_columns` bytes: out[16 * c + r] = rows[r][c].
void TransposeRows(const uint8_t* const rows[kTransposeSide], int64_t num_columns, uint8_t* out);

// The way back: rows[r][c] = in[16 * c + r] for the first `num_rows` rows, the others are left out.
void UntransposeRows(const uint8_t* in, int64_t num_columns, int64_t num_rows, uint8_t* const rows[kTransposeSide]);

}  // namespace percept
