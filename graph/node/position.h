// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

namespace percept::graph {

// Where something was written: a place in a file, or a named origin without lines ("--set budget", "code").
struct Position {
  std::shared_ptr<const std::string> file;  // null: nowhere
  int line = 0;                             // from 1; 0 where the origin has no lines
  int column = 0;                           // from 1

  // "ocr.yaml:7:12", "--set budget", "" for nowhere.
  std::string ToString() const;
};

// A pipeline that cannot be run as it is written: refused before anything starts. what() is "file:line:column:
// message".
class DefinitionError : public std::runtime_error {
 public:
  DefinitionError(Position position, const std::string& message);
  const Position& position() const { return position_; }
  // The text without the position.
  const std::string& message() const { return message_; }

 private:
  Position position_;
  std::string message_;
};

}  // namespace percept::graph
