// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace percept {

// A function that the model may ask for.
struct Tool {
  std::string name;
  std::string description = {};
  std::string parameters = {};  // JSON schema of the arguments; empty: none
  std::string response = {};    // JSON schema of the answer; empty: not said
};

// A function that the model asked for.
struct ToolCall {
  std::string name;
  std::string arguments = {};  // a JSON object; empty: none
  std::string id = {};         // the caller's, which tells answers apart

  bool operator==(const ToolCall&) const = default;
};

// What a function gave, kept with the call.
struct ToolResponse {
  std::string name;   // empty: unknown
  std::string value;  // any JSON
};

}  // namespace percept
