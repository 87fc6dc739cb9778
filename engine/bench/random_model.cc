// SPDX-License-Identifier: Apache-2.0
#include "engine/bench/random_model.h"

#include <unistd.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/bench/named_shapes.h"
#include "engine/bench/random_source.h"
#include "engine/bench/random_tensors.h"
#include "kernels/core/error.h"

namespace percept {
namespace {

std::string ConfigOf(std::string_view name) {
  std::string names;
  for (const std::string_view shape : ShapeNames()) {
    if (shape == name) {
      return ShapeConfig(name);
    }
    names += (names.empty() ? "" : ", ") + std::string(shape);
  }
  throw ArgumentError("no shape named '" + std::string(name) + "'; there are " + names);
}

// Of weights that are repacked or read whole: what is read by row repeats a small piece.
double GigabytesOf(const std::vector<RandomTensor>& tensors) {
  constexpr double kBytesPerGigabyte = 1e9;
  double bytes = 0;
  for (const RandomTensor& tensor : tensors) {
    const bool is_held = tensor.use == RandomTensorUse::kRepacked || tensor.use == RandomTensorUse::kReadWhole;
    bytes += is_held ? static_cast<double>(tensor.size_bytes()) : 0;
  }
  return bytes / kBytesPerGigabyte;
}

void RequireMemory(std::string_view shape, DType dtype, double needed_gb) {
  const double page_bytes = static_cast<double>(::sysconf(_SC_PAGESIZE));
  const double memory_gb = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * page_bytes / 1e9;
  if (needed_gb > memory_gb) {
    throw ArgumentError("shape '" + std::string(shape) + "' needs " + std::to_string(std::lround(needed_gb)) +
                        " GB for its weights in " + std::string(Traits(dtype).name) + "; this machine has " +
                        std::to_string(std::lround(memory_gb)));
  }
}

}  // namespace

std::vector<std::string_view> RandomModelShapes() { return ShapeNames(); }

ModelConfig RandomModelConfig(std::string_view shape) {
  const std::string json = ConfigOf(shape);
  const std::string file = "shape " + std::string(shape);
  return {.text = ParseTextConfig(json, file),
          .vision = ParseVisionConfig(json, file),
          .audio = ParseAudioConfig(json, file)};
}

std::vector<DType> RandomModelTypes() {
  return {DType::kBF16, DType::kF16, DType::kQ40, DType::kQ41, DType::kQ50,
          DType::kQ80,  DType::kQ4K, DType::kQ5K, DType::kQ6K};
}

std::unique_ptr<const LoadedWeights> RandomModel(std::string_view shape, DType dtype, const KernelContext& context) {
  const ModelConfig config = RandomModelConfig(shape);
  std::vector<RandomTensor> tensors = TensorsOf(config, dtype);
  RequireMemory(shape, dtype, GigabytesOf(tensors));
  return std::make_unique<const LoadedWeights>(std::make_unique<RandomSource>(std::move(tensors)), config, context);
}

}  // namespace percept
