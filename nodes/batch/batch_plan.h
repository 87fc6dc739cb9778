// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "graph/config/checked_graph.h"
#include "graph/config/pipeline.h"
#include "nodes/batch/journal.h"
#include "nodes/file_uses.h"

namespace percept::nodes {

// A file that the graph of an input writes and commits.
struct PlannedOutput {
  std::string node;
  std::filesystem::path file;   // as ReplacedFile gives it; empty for a device or a pipe
  bool is_merged_only = false;  // rows that stand beside the journal, nobody's but the batch's own
};

// What the graph of an input has to do with files.
struct PlannedFiles {
  std::vector<PlannedOutput> outputs;
  std::vector<NodeFile> read;
};

// The graphs of a batch: one pipeline, with each input in turn as its `input`.
class BatchPlan {
 public:
  // The texts in `arguments` may use `${input}`, also where that is a list, `${input.stem}`, `${input.dir}` and
  // `${input.page}`. What sinks would write to standard output goes to files in `rows_folder`; where that is "", they
  // are refused.
  BatchPlan(graph::PipelineDefinition pipeline, graph::Arguments arguments, const graph::Registry& registry,
            std::filesystem::path rows_folder);

  // Throws DefinitionError as graph::Check does.
  graph::CheckedGraph Graph(const BatchInput& input) const;
  std::vector<PlannedOutput> Outputs(const graph::CheckedGraph& graph) const;
  // The sink of a graph whose rows are merged: `asked`, or "" for the only one. Throws ArgumentError.
  std::string MergedNode(const graph::CheckedGraph& graph, const std::string& asked) const;
  // Whether less stands in an output than was committed, by node.
  bool HasLostRows(const graph::CheckedGraph& graph, const std::map<std::string, int64_t>& positions) const;
  // Of an input's graph, which is made once for it. Throws as Graph does. One thread at a time, but any for inputs that
  // CheckOutputs has seen.
  const PlannedFiles& FilesOf(const BatchInput& input);

  // Whether `input` is declared as a path: then each one must be a file that is there.
  bool inputs_are_files() const;
  // Adds the inputs, and what else their graphs read.
  void AddReads(const std::vector<BatchInput>& inputs, FileUses* uses);
  // Throws ArgumentError where two inputs would write one file, or one would write a file that has a use; or
  // DefinitionError.
  void CheckOutputs(const std::vector<BatchInput>& inputs, const FileUses& uses);
  // Whether an input that CheckOutputs has seen writes `file`.
  bool Writes(const std::filesystem::path& file) const { return written_.count(file) != 0; }

 private:
  void KeepRows(const BatchInput& input, graph::CheckedNode* sink) const;

  graph::PipelineDefinition pipeline_;
  graph::Arguments arguments_;
  const graph::Registry& registry_;
  const std::filesystem::path rows_folder_;
  std::map<std::pair<std::string, int64_t>, PlannedFiles> files_;  // by name and page
  std::set<std::filesystem::path> written_;
};

}  // namespace percept::nodes
