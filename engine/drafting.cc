// SPDX-License-Identifier: Apache-2.0
#include "engine/drafting.h"

#include <algorithm>

namespace percept {
namespace {

// The zone of the drafts of a step, for every sequence that takes part.
class DraftZone {
 public:
  DraftZone(TraceSink* trace, const std::vector<Sequence*>& sequences, int64_t num_tokens)
      : trace_(trace), sequences_(sequences), num_tokens_(num_tokens) {
    Record(TraceEvent::Phase::kBegin);
  }
  ~DraftZone() { Record(TraceEvent::Phase::kEnd); }
  DraftZone(const DraftZone&) = delete;
  DraftZone& operator=(const DraftZone&) = delete;

 private:
  void Record(TraceEvent::Phase phase) const {
    if (trace_ == nullptr) {
      return;
    }
    for (const Sequence* sequence : sequences_) {
      trace_->Record({phase, "draft", sequence->id, num_tokens_});
    }
  }

  TraceSink* trace_;
  const std::vector<Sequence*>& sequences_;
  int64_t num_tokens_;
};

}  // namespace

Drafting::Drafting(const Drafter& drafter, const Limits& limits)
    : drafter_(drafter),
      limits_(limits),
      activations_(drafter.config(), limits.max_sequences, limits.max_positions),
      length_(limits.max_tokens, limits.max_sequences) {
  sequences_.reserve(static_cast<size_t>(limits.max_sequences));
  rows_.reserve(static_cast<size_t>(limits.max_sequences));
  drafting_.reserve(static_cast<size_t>(limits.max_sequences));
}

void Drafting::BeginStep() {
  began_at_ = Clock::now();
  beside_prompt_ = false;
  sequences_.clear();
  num_tokens_ = 0;
  num_asked_ = 0;
}

void Drafting::Add(Sequence& sequence) {
  sequence.draft.assign(1, sequence.last_token);
  sequences_.push_back(&sequence);
}

int64_t Drafting::NumTokens() {
  const auto num_sequences = static_cast<int64_t>(sequences_.size());
  const int64_t most = limits_.max_rows / num_sequences;
  return std::min(most, limits_.adaptive ? length_.Choose(num_sequences) : limits_.max_tokens);
}

void Drafting::Draft(TraceSink* trace) {
  num_tokens_ = sequences_.empty() ? 0 : NumTokens();
  if (num_tokens_ == 0) {
    return;
  }
  const DraftZone zone(trace, sequences_, num_tokens_);
  rows_.clear();
  drafting_.clear();
  for (Sequence* sequence : sequences_) {
    // The model itself picks one token behind those that are drafted.
    num_asked_ += std::min(num_tokens_, sequence->num_tokens_left() - 1);
    if (sequence->num_tokens_left() > 1) {
      rows_.push_back({.cache = sequence->cache.get(), .id = sequence->last_token, .hidden = sequence->hidden});
      drafting_.push_back(sequence);
    }
  }
  while (!rows_.empty()) {
    DraftOneMore(num_tokens_);
  }
}

void Drafting::DraftOneMore(int64_t num_tokens) {
  drafter_.Step(rows_, activations_);
  size_t num_left = 0;
  for (size_t i = 0; i < rows_.size(); ++i) {
    Sequence& sequence = *drafting_[i];
    // A stop token ends the answer where it is picked: there is nothing to look at behind it.
    if (rows_[i].id == Drafter::kNoToken || sequence.IsStop(rows_[i].id)) {
      continue;
    }
    sequence.draft.push_back(rows_[i].id);
    const auto num_drafted = static_cast<int64_t>(sequence.draft.size()) - 1;
    if (num_drafted < std::min(num_tokens, sequence.num_tokens_left() - 1)) {
      rows_[num_left] = rows_[i];
      drafting_[num_left++] = &sequence;
    }
  }
  rows_.resize(num_left);
  drafting_.resize(num_left);
}

void Drafting::Judge(Sequence& sequence, int64_t num_rows, int64_t num_used, ConstMatrixView hidden, int64_t last_row) {
  const int64_t num_drafted = num_rows - 1;
  const int64_t num_accepted = num_used - 1;
  sequence.stats.num_drafted_tokens += num_drafted;
  sequence.stats.num_accepted_tokens += num_accepted;
  // A token that the drafter left out was as good as a wrong one. Where the answer ends, what was drafted behind its
  // last token was never compared.
  const bool was_wrong = num_accepted < num_tokens_ && !sequence.ended && !sequence.cancelled;
  if (!sequence.draft.empty()) {
    length_.Judged(num_accepted, was_wrong);
  }
  if (!sequence.ended) {
    std::copy_n(hidden.row(last_row), hidden.cols, sequence.hidden.begin());
  }
}

void Drafting::EndStep() {
  const auto num_sequences = static_cast<int64_t>(sequences_.size());
  if (!beside_prompt_ && num_sequences > 0 && num_asked_ == num_sequences * num_tokens_) {
    length_.Took(num_sequences, num_tokens_, Clock::now() - began_at_);
  }
}

}  // namespace percept
