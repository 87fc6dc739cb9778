// SPDX-License-Identifier: Apache-2.0
// A GGUF file: header, placement, every tensor's bytes, and what is read from its keys.
#include "decoder/config/gguf_config.h"
#include "decoder/text/tokenizer.h"
#include "encoders/audio/gguf_config.h"
#include "encoders/vision/gguf_config.h"
#include "engine/mechanisms.h"
#include "kernels/weights/gguf.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace percept;
  const fuzz::InputFile input(data, size);
  const std::string file = input.path().string();
  fuzz::MayRefuse(file, [&] {
    const GgufSource source({input.path()});
    fuzz::ReadAll(source, file);
    ModelConfig config;
    fuzz::MayRefuse(file, [&] { config.vision = VisionConfigFromGguf(source, 0); });
    fuzz::MayRefuse(file, [&] { config.audio = AudioConfigFromGguf(source, 0); });
    fuzz::MayRefuse(file, [&] { GenerationConfigFromGguf(source.metadata(0)); });
    fuzz::MayRefuse(file, [&] { Tokenizer::FromGguf(source.metadata(0)); });
    fuzz::MayRefuse(file, [&] {
      config.text = TextConfigFromGguf(source);
      DescribeMechanisms(config);
    });
  });
  return 0;
}
