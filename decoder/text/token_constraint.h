// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "decoder/text/automaton.h"
#include "decoder/text/special_tokens.h"
#include "decoder/text/tokenizer.h"

namespace percept {

// Which tokens may come next in an answer of a given form (spec: prompt-and-files, section 8.3). The form begins after
// the thought, where there is one, and is written once: then nothing but a stop token may come. Of one answer; one
// thread at a time. The tokenizer outlives it.
class TokenConstraint {
 public:
  struct Place {
    bool in_thought = false;  // the prompt ended inside one
    bool may_think = false;   // the answer may begin with one
  };
  // stop_ids: that end the answer.
  TokenConstraint(std::shared_ptr<const Automaton> form, const Tokenizer& tokenizer, const SpecialTokens& tokens,
                  std::span<const int32_t> stop_ids, Place place);

  // [vocab_size of the tokenizer] what may come next; null: anything. Valid until the next call.
  const std::vector<bool>* Allowed();
  // The token that was picked; not a stop token.
  void Push(int32_t id);

 private:
  static constexpr int32_t kDead = -1;
  static constexpr int32_t kUnknown = -2;

  // A set of states of the form: what may still be read is the same for all texts that lead to it.
  struct Node {
    explicit Node(std::vector<Automaton::StateId> the_states) : states(std::move(the_states)) { next.fill(kUnknown); }

    std::vector<Automaton::StateId> states;
    std::array<int32_t, 256> next;
    std::optional<std::vector<bool>> allowed;
  };

  int32_t NodeOf(std::vector<Automaton::StateId> states);
  int32_t Step(int32_t node, uint8_t byte);
  int32_t Read(int32_t node, int32_t id);
  std::vector<bool> AllowedFrom(int32_t node);

  const std::shared_ptr<const Automaton> form_;
  const Tokenizer& tokenizer_;
  const SpecialTokens tokens_;
  const std::vector<int32_t> stop_ids_;
  Place place_;
  std::vector<Node> nodes_;
  std::map<std::vector<Automaton::StateId>, int32_t> node_ids_;
  int32_t node_ = 0;
  std::string text_;  // of a token, to be used again
  std::vector<bool> with_thought_;
};

}  // namespace percept
