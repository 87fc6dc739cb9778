// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <vector>

#include "nodes/batch/batch_plan.h"
#include "nodes/batch/file_mark.h"
#include "nodes/batch/journal.h"
#include "nodes/file_uses.h"

namespace percept::nodes {

struct FoundInputs {
  std::vector<BatchInput> inputs;
  std::set<std::string> in_folders;   // the names of those that were not given themselves
  std::vector<std::string> left_out;  // files in folders that are the batch's own
  std::vector<std::string> warnings;  // what else in folders is no input, with the reason
};

// The inputs that `names` stand for, in their order. A folder stands for the files in it and below, sorted, but hidden
// ones, those in `own` and what is no regular file; a link that leads nowhere is an input that cannot be read. Throws
// ArgumentError: a name twice, "-", a folder that cannot be read.
FoundInputs FindInputs(const std::vector<std::string>& names, const FileUses& own);

// Why the input cannot be read; "" where it can, or names no file and need not, and `mark` is set.
std::string MarkInput(const BatchInput& input, bool must_be_there, bool hash_whole, FileMark* mark);

}  // namespace percept::nodes
