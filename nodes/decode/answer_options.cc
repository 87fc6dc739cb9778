// SPDX-License-Identifier: Apache-2.0
#include "nodes/decode/answer_options.h"

#include "decoder/text/answer_form.h"
#include "graph/node/position.h"
#include "kernels/core/error.h"
#include "kernels/weights/json_section.h"

namespace percept::nodes {
namespace {

Sampling SamplingOf(const graph::ParamValues& params, const GenerationConfig& generation) {
  return {.temperature = params.Get<double>("temperature"),
          .top_k = params.Has("top_k") ? params.Get<int64_t>("top_k") : generation.top_k,
          .top_p = params.Has("top_p") ? params.Get<double>("top_p") : generation.top_p,
          .seed = static_cast<uint64_t>(params.Get<int64_t>("seed"))};
}

// What `choices` or `schema` say; null: neither was given.
std::shared_ptr<const Automaton> FormOf(const graph::ParamValues& params) {
  if (params.Has("choices")) {
    return FormOfChoices(params.Get<std::vector<std::string>>("choices"));
  }
  return params.Has("schema") ? FormOfSchema(ReadTextFile(params.Get<std::string>("schema"))) : nullptr;
}

}  // namespace

AnswerOptions ReadAnswerOptions(const graph::ParamValues& params, const GenerationConfig& generation) {
  AnswerOptions options{.system = params.Get<std::string>("system"),
                        .thinking = params.Get<bool>("thinking"),
                        .max_tokens = params.Get<int64_t>("max_tokens"),
                        .sampling = SamplingOf(params, generation),
                        .max_repeats = params.Get<int64_t>("max_repeats"),
                        .priority = static_cast<int>(params.Get<int64_t>("priority")),
                        .form = FormOf(params)};
  if (params.Has("deadline")) {
    options.deadline = std::chrono::nanoseconds(params.Get<graph::Duration>("deadline").nanoseconds());
  }
  if (params.Has("logprobs")) {
    options.top_logprobs = static_cast<int>(params.Get<int64_t>("logprobs"));
  }
  return options;
}

std::vector<graph::ParamDecl> AnswerParams() {
  using graph::ParamDecl;
  using graph::ParamType;
  return {
      {.name = "prompt",
       .type = ParamType::kAny,
       .doc = "text, which comes after pictures and before sound; or a list of { text: WORDS }, { image: INPUT } and "
              "{ audio: INPUT }",
       .required = true},
      ParamDecl{.name = "system", .doc = "words of the system turn"}.Default(""),
      ParamDecl{.name = "thinking", .type = ParamType::kBool, .doc = "let the model think first; thoughts are no text"}
          .Default("false"),
      ParamDecl{.name = "max_tokens", .type = ParamType::kInt, .doc = "longest answer", .min = 1}.Default("512"),
      ParamDecl{.name = "max_repeats",
                .type = ParamType::kInt,
                .doc = "ends an answer that writes the same tokens so often in a row; 0 lets it go on",
                .min = 0}
          .Default("0"),
      ParamDecl{.name = "temperature",
                .type = ParamType::kFloat,
                .doc = "0 takes the likeliest token; the checkpoints' own is mostly 1",
                .min = 0,
                .max = 100}
          .Default("0"),
      {.name = "top_k",
       .type = ParamType::kInt,
       .doc = "draws among so many of the likeliest tokens, 0 among all; absent, as the checkpoint says",
       .min = 0},
      {.name = "top_p",
       .type = ParamType::kFloat,
       .doc = "draws among the likeliest that have this probability together; absent, as the checkpoint says",
       .min = 1e-6,
       .max = 1},
      ParamDecl{
          .name = "seed", .type = ParamType::kInt, .doc = "of what is drawn; each answer starts from it", .min = 0}
          .Default("0"),
      ParamDecl{.name = "priority",
                .type = ParamType::kInt,
                .doc = "answers of a higher one go first where nodes share a model",
                .min = -1000,
                .max = 1000}
          .Default("0"),
      {.name = "deadline",
       .type = ParamType::kDuration,
       .doc = "an answer that is not done so long after its set came fails, and its memory is free",
       .min = 1e-9},
      {.name = "choices", .doc = "the answer is one of these texts", .is_list = true},
      {.name = "schema", .type = ParamType::kPath, .doc = "a file with a JSON schema: the answer is JSON of this form"},
      {.name = "logprobs",
       .type = ParamType::kInt,
       .doc = "writes the log-probability of each token, and of so many of the likeliest, into the record",
       .min = 0,
       .max = 100},
  };
}

void CheckAnswerOptions(const graph::ParamValues& params, const graph::Position& position) {
  if (params.Has("choices") && params.Has("schema")) {
    throw graph::DefinitionError(position, "an answer has either choices or a schema");
  }
  try {
    FormOf(params);
  } catch (const Error& error) {
    throw graph::DefinitionError(position, error.what());
  }
  if (params.Get<int64_t>("max_repeats") == 1) {
    throw graph::DefinitionError(position, "max_repeats is 1: at least 2, or 0 for no limit");
  }
}

}  // namespace percept::nodes
