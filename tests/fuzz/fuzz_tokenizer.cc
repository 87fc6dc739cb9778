// SPDX-License-Identifier: Apache-2.0
// A tokenizer.json; where it can be read, text goes through the tokenizer and back.
#include "decoder/text/special_tokens.h"
#include "decoder/text/tokenizer.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

constexpr std::string_view kText = "  The <bos> caf\xC3\xA9 \xE6\xBC\xA2\xF0\x9F\x87\xAA\n\n\t<|turn>user 12 aaaaaaaa";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace percept;
  const std::string file = "tokenizer.json";
  fuzz::MayRefuse(file, [&] {
    const Tokenizer tokenizer = Tokenizer::FromJson({reinterpret_cast<const char*>(data), size}, file);
    for (const Trust trust : {Trust::kTrusted, Trust::kUntrusted}) {
      tokenizer.Decode(tokenizer.Encode(kText, trust), /*keep_special=*/true);
    }
    FindSpecialTokens(tokenizer);
  });
  return 0;
}
