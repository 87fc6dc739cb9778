// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "decoder/text/media_kind.h"
#include "graph/node/value.h"

namespace percept::nodes {

// A piece of a prompt as a pipeline writes it: text, or the name of the input port whose medium stands there.
struct PromptPart {
  std::string text = {};
  std::string port = {};               // empty: text
  std::optional<MediaKind> kind = {};  // of the medium; none: the prompt does not say
};

// Reads the `prompt:` of a decode node. Plain text comes after the media of all input ports, in their order, but before
// sound, whose ports its caller puts behind it; a list says itself where each part stands. Throws DefinitionError at
// the part: unknown kind, unknown port, a port that no part or more than one part names, no text at all.
std::vector<PromptPart> ParsePrompt(const graph::Value& prompt, const std::vector<std::string>& input_ports);

}  // namespace percept::nodes
