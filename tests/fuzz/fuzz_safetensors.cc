// SPDX-License-Identifier: Apache-2.0
// A safetensors file: header, placement, every tensor's bytes, and the joining of packed layers.
#include <memory>

#include "kernels/weights/packed_int4.h"
#include "kernels/weights/safetensors.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace percept;
  const fuzz::InputFile input(data, size);
  const std::string file = input.path().string();
  fuzz::MayRefuse(file, [&] {
    auto source = std::make_unique<SafetensorsSource>(std::vector{input.path()});
    fuzz::ReadAll(*source, file);
    fuzz::ReadAll(PackedInt4Source(std::move(source)), file);
  });
  return 0;
}
