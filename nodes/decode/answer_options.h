// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "decoder/config/generation_config.h"
#include "decoder/text/automaton.h"
#include "decoder/text/sampling.h"
#include "graph/node/params.h"

namespace percept::nodes {

// What a decode node's parameters say of every answer.
struct AnswerOptions {
  std::string system;
  bool thinking = false;
  int64_t max_tokens = 0;
  Sampling sampling;
  std::optional<int> top_logprobs;
  int64_t max_repeats = 0;
  int priority = 0;                                  // beside other nodes of the model
  std::optional<std::chrono::nanoseconds> deadline;  // from the set's arrival
  std::shared_ptr<const Automaton> form;             // null: anything
};

// The declarations, `prompt` included; without those of ModelParams.
std::vector<graph::ParamDecl> AnswerParams();

// A limit that is not given is the checkpoint's own.
AnswerOptions ReadAnswerOptions(const graph::ParamValues& params, const GenerationConfig& generation);

// What a declaration cannot say. Throws DefinitionError at `position`, the node's prompt.
void CheckAnswerOptions(const graph::ParamValues& params, const graph::Position& position);

}  // namespace percept::nodes
