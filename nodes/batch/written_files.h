// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "nodes/batch/batch_plan.h"
#include "nodes/batch/journal.h"

namespace percept::nodes {

// By node, what now stands in those of `outputs` that were committed up to `positions`, to know it again later. Throws
// Error where one cannot be read.
std::map<std::string, WrittenFile> MarkWritten(const std::vector<PlannedOutput>& outputs,
                                               const std::map<std::string, int64_t>& positions);

// Where what an input writes to `output` stands: there, or beside it as long as an older file is kept there.
std::filesystem::path RowsOf(const JournalEntry& entry, const PlannedOutput& output);

// Whether the input of `entry` may write its output anew and nothing else is lost: it is empty, or begins with what was
// committed, beyond which an input that is not at its end may have written more. Of an input that is begun and has
// committed nothing yet nobody can tell: then it may. Throws Error where it cannot be read.
bool IsAsWritten(const JournalEntry& entry, const PlannedOutput& output);

}  // namespace percept::nodes
