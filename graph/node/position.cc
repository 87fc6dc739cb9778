// SPDX-License-Identifier: Apache-2.0
#include "graph/node/position.h"

#include <utility>

namespace percept::graph {
namespace {

std::string Located(const Position& position, const std::string& message) {
  const std::string place = position.ToString();
  return place.empty() ? message : place + ": " + message;
}

}  // namespace

std::string Position::ToString() const {
  if (!file) return "";
  if (line == 0) return *file;
  return *file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

DefinitionError::DefinitionError(Position position, const std::string& message)
    : std::runtime_error(Located(position, message)), position_(std::move(position)), message_(message) {}

}  // namespace percept::graph
