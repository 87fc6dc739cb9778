// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "graph/node/node.h"
#include "graph/node/registry.h"

namespace percept::nodes {

// What flow nodes with one input share: each packet of `in` goes on as it is, or not at all. Errors pass by in the
// graph. Where the first packet of an epoch, or one after a gap, does not go on, the next that does is marked in its
// place.
class PassingNode : public graph::Node {
 public:
  graph::Process Process(graph::NodeContext& context) final;
  std::string SaveState() const final;
  void RestoreState(std::string_view state) final;

 protected:
  enum class Answer { kPass, kDrop, kPassLast, kEnd };

  // Packet by packet, in order. kPassLast and kEnd end the output.
  virtual Answer Judge(graph::NodeContext& context, const graph::Packet& packet) = 0;
  // A new epoch begins.
  virtual void Reset() {}
  // What Judge keeps from packet to packet, as text.
  virtual std::string Save() const { return ""; }
  virtual void Restore(std::string_view /*state*/) {}

 private:
  int64_t epoch_ = 0;
  uint8_t flags_ = 0;  // for the next packet that goes on
  bool ended_ = false;
};

// Whole numbers as text, for Save and Restore; ReadNumbers throws std::invalid_argument where it is not so many.
std::string WriteNumbers(std::initializer_list<int64_t> numbers);
std::vector<int64_t> ReadNumbers(std::string_view text, size_t count);
// The same at the front of a longer state.
std::string WriteFrontNumbers(std::initializer_list<int64_t> numbers);
std::vector<int64_t> TakeFrontNumbers(std::string_view& state, size_t count);

// The ports that all of them have.
graph::InputPort AnyInput();
graph::OutputPort SameOutput(const std::string& doc);

}  // namespace percept::nodes
