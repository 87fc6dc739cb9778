// SPDX-License-Identifier: Apache-2.0
#include "decoder/config/generation_config.h"

#include "kernels/weights/json_section.h"

namespace percept {

GenerationConfig ParseGenerationConfig(std::string_view json, const std::string& file) {
  const nlohmann::json root = JsonSection::ParseRoot(json, file);
  const JsonSection section(root, "", file);
  GenerationConfig config;
  // A file that is silent about sampling asks for greedy decoding.
  config.do_sample = section.BoolOr("do_sample", false);
  config.temperature = section.OptionalNumber("temperature").value_or(config.temperature);
  config.top_k = section.OptionalInt("top_k", 0, 1 << 24).value_or(config.top_k);
  config.top_p = section.OptionalNumber("top_p").value_or(config.top_p);
  if (!(config.temperature >= 0)) section.Fail("temperature", "is negative");
  if (!(config.top_p > 0 && config.top_p <= 1)) section.Fail("top_p", "is outside (0, 1]");
  config.eos_ids = section.Ids("eos_token_id");
  config.suppress_ids = section.Ids("suppress_tokens");
  return config;
}

GenerationConfig ReadGenerationConfig(const std::filesystem::path& file) {
  return ParseGenerationConfig(ReadTextFile(file), file.string());
}

}  // namespace percept
