// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "graph/node/contract.h"
#include "graph/node/params.h"

namespace percept::nodes {

// The files of the model that a node runs.
struct ModelFiles {
  std::string model;    // a folder or a GGUF file
  std::string mmproj;   // the GGUF file of its encoders; empty: those in the folder, or none
  std::string drafter;  // made for it: a folder or a GGUF file; empty: none

  auto operator<=>(const ModelFiles&) const = default;
};

// `model`, `mmproj` and `drafter`, for the contract of a node that runs a model. RunsModel tells such contracts.
std::vector<graph::ParamDecl> ModelParams();
bool RunsModel(const graph::Contract& contract);

// What a node's parameters name; what they leave out is the run's. A `model` of its own has no mmproj and no
// drafter of the run.
ModelFiles ModelFilesOf(const graph::ParamValues& params, const ModelFiles& run);

}  // namespace percept::nodes
