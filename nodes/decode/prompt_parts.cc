// SPDX-License-Identifier: Apache-2.0
#include "nodes/decode/prompt_parts.h"

#include <algorithm>

#include "graph/node/nearest.h"

namespace percept::nodes {
namespace {

PromptPart ParsePart(const graph::Value& value, const std::vector<std::string>& input_ports) {
  if (!value.is_map() || value.entries().size() != 1) {
    throw graph::DefinitionError(value.position(),
                                 "a part of a prompt is { text: WORDS }, { image: INPUT } or { audio: INPUT }");
  }
  const graph::Value::Entry& entry = value.entries().front();
  if (entry.key == "text") {
    return {.text = entry.value.scalar()};
  }
  if (entry.key != "image" && entry.key != "audio") {
    throw graph::DefinitionError(entry.key_position, "unknown part '" + entry.key + "' of a prompt" +
                                                         graph::NearestNames(entry.key, {"text", "image", "audio"}));
  }
  const std::string& port = entry.value.scalar();
  if (std::find(input_ports.begin(), input_ports.end(), port) == input_ports.end()) {
    throw graph::DefinitionError(entry.value.position(), "the prompt names '" + port + "', which is not an input" +
                                                             graph::NearestNames(port, input_ports));
  }
  return {.port = port, .kind = entry.key == "image" ? MediaKind::kImage : MediaKind::kAudio};
}

}  // namespace

std::vector<PromptPart> ParsePrompt(const graph::Value& prompt, const std::vector<std::string>& input_ports) {
  std::vector<PromptPart> parts;
  if (!prompt.is_list()) {
    for (const std::string& port : input_ports) {
      parts.push_back({.port = port});
    }
    parts.push_back({.text = prompt.scalar()});
    return parts;
  }
  for (const graph::Value& item : prompt.items()) {
    parts.push_back(ParsePart(item, input_ports));
  }
  for (const std::string& port : input_ports) {
    const auto names_port = [&](const PromptPart& part) { return part.port == port; };
    const auto num_parts = std::count_if(parts.begin(), parts.end(), names_port);
    if (num_parts != 1) {
      throw graph::DefinitionError(prompt.position(), "input '" + port + "' stands " + std::to_string(num_parts) +
                                                          " times in the prompt; each input stands in it once");
    }
  }
  return parts;
}

}  // namespace percept::nodes
