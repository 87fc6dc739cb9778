// SPDX-License-Identifier: Apache-2.0
#include "cli/output_check.h"

#include <filesystem>
#include <utility>

#include "kernels/core/error.h"
#include "nodes/file_uses.h"

namespace percept::cli {
void CheckMayWrite(const std::string& flag, const std::string& file) {
  if (const std::string reason = nodes::WhyUnwritable(file); !reason.empty()) {
    throw ArgumentError(flag + " " + file + ": " + reason);
  }
}

void CheckOutput(const std::string& output, const std::vector<std::string>& inputs) {
  if (output.empty()) {
    throw ArgumentError("--output: the name of the file is empty");
  }
  if (output == "-") {
    return;
  }
  nodes::FileUses uses;
  for (const std::string& input : inputs) {
    uses.Add(input, "one of the inputs");
  }
  if (const std::string use = uses.UseOf(output); !use.empty()) {
    throw ArgumentError("--output " + output + " is " + use);
  }
  CheckMayWrite("--output", output);
}

void CheckOutputs(const graph::CheckedGraph& graph, const std::filesystem::path& pipeline,
                  const nodes::ModelFiles& model) {
  nodes::FileUses uses;
  uses.Add(pipeline, "the pipeline");
  nodes::AddModelFiles(model, &uses);
  nodes::CheckOutputs(graph, std::move(uses));
}

}  // namespace percept::cli
