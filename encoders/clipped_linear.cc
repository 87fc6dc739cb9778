// SPDX-License-Identifier: Apache-2.0
#include "encoders/clipped_linear.h"

#include "kernels/core/error.h"

namespace percept {

ops::LinearWeight ClaimPacked(ClaimList& claims, const KernelContext& context, const std::string& name,
                              const Shape& shape, const ops::ClipBounds& bounds) {
  ops::LinearWeight weight = ops::LinearWeight::Packed(context, claims.Claim(name, shape), bounds);
  claims.ReleasePages(name);
  return weight;
}

ops::ClipBounds ClaimBounds(ClaimList& claims, const std::string& linear) {
  const auto bound = [&](const char* name) { return claims.ClaimFloats(linear + "." + name, Shape{})[0]; };
  const ops::ClipBounds bounds{.input_min = bound("input_min"),
                               .input_max = bound("input_max"),
                               .output_min = bound("output_min"),
                               .output_max = bound("output_max")};
  if (!(bounds.input_min <= bounds.input_max && bounds.output_min <= bounds.output_max)) {
    throw CheckpointError(claims.FileOf(linear) + ": the clip bounds of '" + linear + "' leave no value between them");
  }
  return bounds;
}

}  // namespace percept
