// SPDX-License-Identifier: Apache-2.0
// What a NodeRunner tells of its node.
#include "graph/run/node_runner.h"

namespace percept::graph {

void NodeRunner::OnDrop(const Edge& edge, const Packet& packet, DropReason reason) {
  run_.NoteDrop(node_, edge.name(), ToString(reason));
  if (!run_.observer()) return;
  run_.observer()->OnEvent({TraceKind::kDropped, node_.name, "", packet.timestamp(), packet.origin().trace_id, 0, 0,
                            edge.name(), ToString(reason)});
}

void NodeRunner::Trace(TraceKind kind, Time time) const {
  if (run_.observer() && !lanes_) run_.observer()->OnEvent({kind, node_.name, "", time, 0, 0, 0});
}

NodeCounts NodeRunner::counts() const {
  NodeCounts counts = counts_;
  counts.node = node_.name;
  counts.sent = outputs_.num_sent();
  counts.errors = context_.num_errors();
  counts.peak_state_items = static_cast<uint64_t>(state_account_.peak_items());
  counts.peak_state_bytes = static_cast<uint64_t>(state_account_.peak_bytes());
  counts.repairs = context_.repairs();
  counts.unmatched = join_ ? join_->num_unmatched() : 0;
  if (lanes_) lanes_->AddTo(counts);
  return counts;
}

std::string NodeRunner::DescribeWait() const {
  if (state_.load() == State::kClosed) return "";
  const std::string who = "node '" + node_.name + "' (" + node_.contract.type + ") ";
  if (const Edge* edge = outputs_.FullEdge()) {
    return who + "waits for room on " + edge->name() + " (" + edge->Describe() + ")";
  }
  if (credits_ && !credits_->available() && pending_->empty()) {
    const std::string limit = std::to_string(credits_->limit());
    return who + "waits for a credit: " + limit + " of " + limit + " items are in flight";
  }
  if (last_answer_ == Process::kBlocked) return who + "is blocked, but nobody holds its Waker";
  std::string text = who;
  if (!pending_->empty()) {
    text += "has work pending at " + pending_->Earliest().ToString() + ", but nobody holds its Waker";
    return text;
  }
  text += "waits for input";
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const Edge::View view = inputs_[i]->Look();
    if (view.head == Time::Unset() && !view.ended()) {
      text += " '" + set_.ports()[i] + "' (" + inputs_[i]->Describe() + ")";
    }
  }
  return text;
}

}  // namespace percept::graph
