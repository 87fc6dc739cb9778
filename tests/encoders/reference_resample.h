// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "encoders/vision/axis_weights.h"
#include "encoders/vision/image.h"
#include "tests/encoders/png.h"

// Section 2.3 of the vision specification as it is written: one pixel at a time, 64-bit sums. Slow.
TestImage ReferenceResample(const TestImage& source, percept::ImageSize target, percept::ResampleWeights precision);
