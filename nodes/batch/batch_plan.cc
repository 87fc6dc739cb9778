// SPDX-License-Identifier: Apache-2.0
#include "nodes/batch/batch_plan.h"

#include <algorithm>
#include <map>
#include <memory>
#include <system_error>
#include <utility>

#include "graph/node/nearest.h"
#include "kernels/core/error.h"
#include "nodes/sink/text_file.h"

namespace percept::nodes {
namespace {

namespace fs = std::filesystem;

constexpr const char* kInput = "input";
constexpr size_t kRowsNameDigits = 16;
constexpr const char* kInputUse = "the input ";
constexpr const char* kWriteElsewhere =
    ": write to another folder or under another name, or, where an earlier run wrote it, go on with that run's journal "
    "by --resume";

constexpr const char* kWholeInput = "${input}";
constexpr const char* kInputPart = "input.path";  // the same where the parameter is a list: of one, here

// `${input}` in a text, which may stand beside others, is the input's name. `$${` is none.
std::string NamingInput(std::string text) {
  const std::string part = std::string("${") + kInputPart + "}";
  for (size_t at = text.find(kWholeInput); at != std::string::npos; at = text.find(kWholeInput, at + 1)) {
    if (at == 0 || text[at - 1] != '$') {
      text.replace(at, std::string_view(kWholeInput).size(), part);
    }
  }
  return text;
}

// Texts given for a run stand for the pipeline's defaults, which may refer to other parameters.
void MakeDefault(graph::ParamDecl* decl, const std::vector<std::string>& texts) {
  const graph::Position position{std::make_shared<const std::string>("--set " + decl->name), 0, 0};
  std::vector<graph::Value> items;
  for (const std::string& text : texts) {
    items.push_back(graph::Value::Scalar(NamingInput(text), position));
  }
  decl->default_value = items.size() == 1 ? items.front() : graph::Value::List(std::move(items), position);
}

std::string HowToTellApart(const fs::path& one, const fs::path& other) {
  if (one.stem() != other.stem()) {
    return "name it after ${input.stem}";
  }
  return one.parent_path() != other.parent_path()
             ? "they differ in ${input.dir}, name it after that too"
             : "they differ in neither ${input.stem} nor ${input.dir}, name it after ${input}, as in '${input}.txt'";
}

}  // namespace

BatchPlan::BatchPlan(graph::PipelineDefinition pipeline, graph::Arguments arguments, const graph::Registry& registry,
                     fs::path rows_folder)
    : pipeline_(std::move(pipeline)),
      arguments_(std::move(arguments)),
      registry_(registry),
      rows_folder_(std::move(rows_folder)) {
  for (graph::ParamDecl& decl : pipeline_.params) {
    const auto given = arguments_.values.find(decl.name);
    if (given != arguments_.values.end() && decl.name != kInput) {
      MakeDefault(&decl, given->second);
      arguments_.values.erase(given);
    }
  }
}

graph::CheckedGraph BatchPlan::Graph(const BatchInput& input) const {
  graph::Arguments arguments = arguments_;
  arguments.values[kInput] = {input.name};
  arguments.parts[kInputPart] = input.name;
  arguments.parts["input.page"] = std::to_string(input.page);
  graph::CheckedGraph graph = graph::Check(graph::Bind(pipeline_, arguments), registry_);
  for (graph::CheckedNode& node : graph.nodes) {
    if (node.contract.output == graph::OutputKind::kAppended && node.params.Has("path") &&
        node.params.Get<std::string>("path") == "-") {
      KeepRows(input, &node);
    }
  }
  return graph;
}

void BatchPlan::KeepRows(const BatchInput& input, graph::CheckedNode* sink) const {
  const graph::Position position = sink->params.PositionOf("path");
  if (rows_folder_.empty()) {
    throw graph::DefinitionError(
        position, "'" + sink->name +
                      "' writes standard output, where several inputs would mix: give each its file, as in --set "
                      "output='${input.stem}.txt', or all of them one with --merge FILE");
  }
  const std::string key = HashText(input.name + '\0' + std::to_string(input.page)).substr(0, kRowsNameDigits);
  sink->params.Set("path", (rows_folder_ / (key + "." + sink->name)).string(), position);
}

std::vector<PlannedOutput> BatchPlan::Outputs(const graph::CheckedGraph& graph) const {
  std::vector<PlannedOutput> outputs;
  for (const graph::CheckedNode& node : graph.nodes) {
    if (node.contract.output == graph::OutputKind::kAppended && node.params.Has("path")) {
      std::error_code ignored;
      const auto path = node.params.Get<std::string>("path");
      outputs.push_back({node.name, ReplacedFile(path).value_or(fs::is_directory(path, ignored) ? path : ""),
                         !rows_folder_.empty() && fs::path(path).parent_path() == rows_folder_});
    }
  }
  return outputs;
}

std::string BatchPlan::MergedNode(const graph::CheckedGraph& graph, const std::string& asked) const {
  std::vector<std::string> names;
  std::string text;
  for (const PlannedOutput& output : Outputs(graph)) {
    names.push_back(output.node);
    text += (text.empty() ? "" : ", ") + output.node;
  }
  if (names.empty()) {
    throw ArgumentError("--merge: the pipeline has no sink whose rows could be merged");
  }
  if (asked.empty() && names.size() > 1) {
    throw ArgumentError("--merge: the pipeline has several sinks (" + text + "): name one with --merge-node");
  }
  const std::string& wanted = asked.empty() ? names.front() : asked;
  if (std::find(names.begin(), names.end(), wanted) == names.end()) {
    throw ArgumentError("--merge-node " + wanted + ": no such sink of rows" + graph::NearestNames(wanted, names));
  }
  return wanted;
}

bool BatchPlan::HasLostRows(const graph::CheckedGraph& graph, const std::map<std::string, int64_t>& positions) const {
  const std::vector<PlannedOutput> outputs = Outputs(graph);
  return std::any_of(outputs.begin(), outputs.end(), [&](const PlannedOutput& output) {
    const auto position = positions.find(output.node);
    if (output.file.empty() || position == positions.end()) {
      return false;
    }
    std::error_code error;
    const uintmax_t size = fs::file_size(output.file, error);
    return error == std::errc::no_such_file_or_directory ? position->second > 0
                                                         : !error && size < static_cast<uintmax_t>(position->second);
  });
}

const PlannedFiles& BatchPlan::FilesOf(const BatchInput& input) {
  const std::pair<std::string, int64_t> key(input.name, input.page);
  const auto known = files_.find(key);
  if (known != files_.end()) {
    return known->second;
  }
  const graph::CheckedGraph graph = Graph(input);
  return files_.emplace(key, PlannedFiles{Outputs(graph), nodes::FilesOf(graph).read}).first->second;
}

bool BatchPlan::inputs_are_files() const {
  return std::any_of(pipeline_.params.begin(), pipeline_.params.end(), [](const graph::ParamDecl& decl) {
    return decl.name == kInput && decl.type == graph::ParamType::kPath;
  });
}

void BatchPlan::AddReads(const std::vector<BatchInput>& inputs, FileUses* uses) {
  for (const BatchInput& input : inputs) {
    uses->Add(input.name, kInputUse + input.name);
  }
  for (const BatchInput& input : inputs) {
    for (const NodeFile& read : FilesOf(input).read) {
      uses->Add(read.file, "what '" + read.node + "' reads");
    }
  }
}

void BatchPlan::CheckOutputs(const std::vector<BatchInput>& inputs, const FileUses& uses) {
  struct Writer {
    std::string input, node;
    fs::path file;
  };
  std::map<std::string, Writer> writers;  // by FileKey
  for (const BatchInput& input : inputs) {
    for (const PlannedOutput& output : FilesOf(input).outputs) {
      if (const std::string use = uses.UseOf(output.file); !use.empty()) {
        throw ArgumentError("the input " + input.name + " would write " + output.file.string() + ", which is " + use +
                            (use.starts_with(kInputUse) ? kWriteElsewhere : ""));
      }
      written_.insert(output.file);
      const std::string key = FileKey(output.file);
      const auto [found, is_first] = writers.emplace(key, Writer{input.name, output.node, output.file});
      if (is_first || key.empty()) {
        continue;
      }
      const Writer& writer = found->second;
      if (writer.input == input.name) {
        throw ArgumentError("for the input " + input.name + ", '" + output.node + "' would write " +
                            output.file.string() + ", which is what '" + writer.node + "' writes");
      }
      if (writer.file != output.file) {
        throw ArgumentError("the inputs " + writer.input + " and " + input.name + " would both write one file, whose " +
                            "names are " + writer.file.string() + " and " + output.file.string());
      }
      throw ArgumentError("the inputs " + writer.input + " and " + input.name + " would both write " +
                          output.file.string() + ": " + HowToTellApart(writer.input, input.name));
    }
  }
}

}  // namespace percept::nodes
