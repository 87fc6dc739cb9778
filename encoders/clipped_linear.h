// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"
#include "kernels/ops/linear.h"
#include "kernels/weights/claim_list.h"

namespace percept {

// The matrix `name`, packed; its file pages are released. Throws CheckpointError as ClaimList::Claim.
ops::LinearWeight ClaimPacked(ClaimList& claims, const KernelContext& context, const std::string& name,
                              const Shape& shape, const ops::ClipBounds& bounds = {});

// The four bounds of the clipped linear `linear` (spec: vision 3.2, audio 6.1). Throws CheckpointError: one is missing,
// or they leave no value between them.
ops::ClipBounds ClaimBounds(ClaimList& claims, const std::string& linear);

}  // namespace percept
