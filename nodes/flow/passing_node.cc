// SPDX-License-Identifier: Apache-2.0
#include "nodes/flow/passing_node.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace percept::nodes {
namespace {

constexpr char kEndOfNumbers = ';';

}  // namespace

graph::Process PassingNode::Process(graph::NodeContext& context) {
  if (ended_) return graph::Process::kFinished;
  const graph::InputSet& set = context.inputs();
  if (set.empty()) return graph::Process::kNeedInput;
  const graph::Packet& packet = set.Get("in");
  if (packet.origin().epoch != epoch_) {
    Reset();
    epoch_ = packet.origin().epoch;
  }
  for (const auto flag : {graph::Packet::kGap, graph::Packet::kDiscontinuity}) {
    if (packet.has(flag)) flags_ |= flag;
  }
  const Answer answer = Judge(context, packet);
  if (answer == Answer::kPass || answer == Answer::kPassLast) {
    context.Send("out", graph::Packet(packet).WithFlags(flags_));
    flags_ = 0;
  }
  ended_ = answer == Answer::kPassLast || answer == Answer::kEnd;
  return ended_ ? graph::Process::kFinished : graph::Process::kNeedInput;
}

std::string PassingNode::SaveState() const { return WriteFrontNumbers({epoch_, flags_, ended_ ? 1 : 0}) + Save(); }

void PassingNode::RestoreState(std::string_view state) {
  const std::vector<int64_t> numbers = TakeFrontNumbers(state, 3);
  epoch_ = numbers[0];
  flags_ = static_cast<uint8_t>(numbers[1]);
  ended_ = numbers[2] != 0;
  Restore(state);
}

std::string WriteNumbers(std::initializer_list<int64_t> numbers) {
  std::string text;
  for (const int64_t number : numbers) {
    if (!text.empty()) text += ' ';
    text += std::to_string(number);
  }
  return text;
}

std::vector<int64_t> ReadNumbers(std::string_view text, size_t count) {
  std::istringstream stream{std::string(text)};
  std::vector<int64_t> numbers;
  for (int64_t number = 0; stream >> number;) numbers.push_back(number);
  if (!stream.eof() || numbers.size() != count) {
    throw std::invalid_argument("no state of this node: '" + std::string(text) + "'");
  }
  return numbers;
}

std::string WriteFrontNumbers(std::initializer_list<int64_t> numbers) { return WriteNumbers(numbers) + kEndOfNumbers; }

std::vector<int64_t> TakeFrontNumbers(std::string_view& state, size_t count) {
  const size_t end = std::min(state.find(kEndOfNumbers), state.size());
  std::vector<int64_t> numbers = ReadNumbers(state.substr(0, end), count);
  state.remove_prefix(std::min(end + 1, state.size()));
  return numbers;
}

graph::InputPort AnyInput() { return {.name = "in", .types = {}, .doc = "packets of any type"}; }

graph::OutputPort SameOutput(const std::string& doc) {
  return {.name = "out", .type = "$in", .doc = doc, .many_per_time = true};
}

}  // namespace percept::nodes
