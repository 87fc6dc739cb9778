// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "decoder/text/span_writer.h"
#include "decoder/text/tool.h"

namespace percept {

// How tools are written in a prompt (spec: prompt-and-files, sections 3.2 to 3.4). Every name, key and value is
// untrusted, so that none can end the string it stands in. They throw InputError that names the tool and what of it is
// not JSON, or JSON of another kind.
void WriteTool(const Tool& tool, SpanWriter* out);
void WriteToolCall(const ToolCall& call, SpanWriter* out);
void WriteToolResponse(const ToolResponse& response, SpanWriter* out);
// The same with words as they are, or with `null`.
void WriteToolAnswer(std::string_view name, const std::string* words, SpanWriter* out);

}  // namespace percept
