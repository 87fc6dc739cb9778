// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "nodes/batch/batch_plan.h"
#include "nodes/batch/file_mark.h"
#include "nodes/batch/journal.h"
#include "nodes/file_uses.h"

namespace percept::nodes {

// The inputs that `names` stand for, in their order. A folder stands for the files in it and below, sorted, but hidden
// ones, those in `own`, and outputs of other inputs. Throws ArgumentError: a name twice, "-", a folder that cannot be
// read; DefinitionError as BatchPlan::Graph. `left_out`: those in `own`.
std::vector<BatchInput> FindInputs(const std::vector<std::string>& names, const FileUses& own, BatchPlan* plan,
                                   std::vector<std::string>* left_out);

// Why the input cannot be read; "" where it can, or names no file and need not, and `mark` is set.
std::string MarkInput(const BatchInput& input, bool must_be_there, bool hash_whole, FileMark* mark);

}  // namespace percept::nodes
