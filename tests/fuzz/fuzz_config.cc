// SPDX-License-Identifier: Apache-2.0
// One text as each of the small JSON files of a checkpoint: config.json with all its parts, the settings of generation
// and of the processor, the index of shards.
#include "decoder/config/drafter_rules.h"
#include "decoder/config/generation_config.h"
#include "decoder/config/processor_config.h"
#include "decoder/state/kv_layout.h"
#include "engine/mechanisms.h"
#include "kernels/weights/safetensors_index.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace percept;
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  const std::string file = "config.json";
  ModelConfig config;
  fuzz::MayRefuse(file, [&] { config.vision = ParseVisionConfig(json, file); });
  fuzz::MayRefuse(file, [&] { config.audio = ParseAudioConfig(json, file); });
  fuzz::MayRefuse(file, [&] {
    config.text = ParseTextConfig(json, file);
    DescribeMechanisms(config);
    fuzz::MayRefuse(file, [&] {
      RequireSupported(config.text, file);
      if (KvBytesNeeded(config.text, config.text.max_positions, 1) < 0) std::abort();
    });
    fuzz::MayRefuse(file, [&] { RequireDrafterFor(config.text, "target.json", config.text, file); });
  });
  fuzz::MayRefuse(file, [&] { ParseGenerationConfig(json, file); });
  fuzz::MayRefuse(file, [&] { ParseProcessorConfig(json, file); });
  fuzz::MayRefuse(file, [&] { RequireKnownLogMel(json, file); });
  fuzz::MayRefuse(file, [&] { ParseSafetensorsIndex(json, file); });
  return 0;
}
