// SPDX-License-Identifier: Apache-2.0
#include "nodes/model_params.h"

namespace percept::nodes {

std::vector<graph::ParamDecl> ModelParams() {
  return {{.name = "model",
           .type = graph::ParamType::kPath,
           .doc = "another model than the run's: a folder or a GGUF file"},
          {.name = "mmproj", .type = graph::ParamType::kPath, .doc = "the GGUF file of the encoders of a GGUF model"},
          {.name = "drafter",
           .type = graph::ParamType::kPath,
           .doc = "a model made to draft for it: a folder or a GGUF file; nodes that share the model name the same"}};
}

bool RunsModel(const graph::Contract& contract) { return contract.FindParam("model") != nullptr; }

ModelFiles ModelFilesOf(const graph::ParamValues& params, const ModelFiles& run) {
  const bool has_model = params.Has("model");
  ModelFiles files{.model = has_model ? params.Get<std::string>("model") : run.model,
                   .mmproj = has_model ? "" : run.mmproj,
                   .drafter = has_model ? "" : run.drafter};
  if (params.Has("mmproj")) {
    files.mmproj = params.Get<std::string>("mmproj");
  }
  if (params.Has("drafter")) {
    files.drafter = params.Get<std::string>("drafter");
  }
  return files;
}

}  // namespace percept::nodes
