// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/token_constraint.h"

#include <string_view>
#include <utility>

#include "decoder/text/space_mark.h"

namespace percept {

TokenConstraint::TokenConstraint(std::shared_ptr<const Automaton> form, const Tokenizer& tokenizer,
                                 const SpecialTokens& tokens, std::span<const int32_t> stop_ids, Place place)
    : form_(std::move(form)),
      tokenizer_(tokenizer),
      tokens_(tokens),
      stop_ids_(stop_ids.begin(), stop_ids.end()),
      place_(place),
      node_(NodeOf(form_->Start())) {}

const std::vector<bool>* TokenConstraint::Allowed() {
  if (place_.in_thought) return nullptr;
  if (!nodes_[static_cast<size_t>(node_)].allowed) {
    std::vector<bool> found = AllowedFrom(node_);  // may make nodes
    nodes_[static_cast<size_t>(node_)].allowed = std::move(found);
  }
  const std::vector<bool>& form_tokens = *nodes_[static_cast<size_t>(node_)].allowed;
  if (!place_.may_think) return &form_tokens;
  with_thought_ = form_tokens;
  with_thought_[static_cast<size_t>(tokens_.channel_open)] = true;
  return &with_thought_;
}

void TokenConstraint::Push(int32_t id) {
  if (place_.in_thought) {
    place_.in_thought = id != tokens_.channel_close;
    return;
  }
  if (std::exchange(place_.may_think, false) && id == tokens_.channel_open) {
    place_.in_thought = true;
    return;
  }
  node_ = Read(node_, id);
}

int32_t TokenConstraint::NodeOf(std::vector<Automaton::StateId> states) {
  if (states.empty()) return kDead;
  const auto [found, is_new] = node_ids_.emplace(states, static_cast<int32_t>(nodes_.size()));
  if (is_new) nodes_.emplace_back(std::move(states));
  return found->second;
}

int32_t TokenConstraint::Step(int32_t node, uint8_t byte) {
  if (const int32_t known = nodes_[static_cast<size_t>(node)].next[byte]; known != kUnknown) return known;
  const int32_t next = NodeOf(form_->Step(nodes_[static_cast<size_t>(node)].states, byte));
  nodes_[static_cast<size_t>(node)].next[byte] = next;
  return next;
}

int32_t TokenConstraint::Read(int32_t node, int32_t id) {
  if (const std::optional<uint8_t> byte = tokenizer_.byte_of(id)) return Step(node, *byte);
  text_.clear();
  tokenizer_.AppendText(id, &text_);
  for (size_t i = 0; i < text_.size() && node != kDead; ++i) node = Step(node, static_cast<uint8_t>(text_[i]));
  return node;
}

std::vector<bool> TokenConstraint::AllowedFrom(int32_t node) {
  std::vector<bool> allowed(static_cast<size_t>(tokenizer_.vocab_size()));
  for (int32_t id = 0; id < tokenizer_.vocab_size(); ++id) {
    const std::string_view piece = tokenizer_.piece(id);
    if (piece.empty() || tokenizer_.is_special(id)) continue;
    // Most pieces are out by their first byte.
    const bool is_byte = tokenizer_.byte_of(id).has_value();
    const auto first = static_cast<uint8_t>(piece.starts_with(kSpaceMark) ? ' ' : piece[0]);
    if (!is_byte && Step(node, first) == kDead) continue;
    allowed[static_cast<size_t>(id)] = Read(node, id) != kDead;
  }
  const std::vector<Automaton::StateId>& states = nodes_[static_cast<size_t>(node)].states;
  if (states.front() == Automaton::kAccept) {
    for (const int32_t id : stop_ids_) {
      if (id >= 0 && id < tokenizer_.vocab_size()) allowed[static_cast<size_t>(id)] = true;
    }
  }
  return allowed;
}

}  // namespace percept
