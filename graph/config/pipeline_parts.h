// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "graph/config/pipeline.h"

namespace percept::graph {

// The parts that a pipeline file and the templates in it are written in. Each throws DefinitionError.

// Letters, digits, '_' and '-'; `what` is named in the message ("node").
void RequireName(const Value::Entry& entry, const char* what);
std::vector<ParamDecl> ParseParamDecls(const Value& params);
// At least one node.
std::vector<NodeDefinition> ParseNodes(const Value& nodes);
TemplateDefinition ParseTemplate(const Value::Entry& entry);

// Runs `work`; a fault that it finds in a node of a template names the use, as its place is in the template.
void NamingUse(const NodeDefinition& node, const std::function<void()>& work);

}  // namespace percept::graph
