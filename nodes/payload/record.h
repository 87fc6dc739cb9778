// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/request.h"
#include "graph/packet/error_payload.h"
#include "graph/packet/packet.h"
#include "graph/packet/payload.h"
#include "kernels/cpu/context.h"
#include "nodes/payload/soft_tokens.h"

namespace percept::nodes {

// A token of an answer and how likely the model thought it.
struct TokenFacts {
  std::string text;
  float logprob = 0;
};

struct PickedToken {
  TokenFacts picked;
  std::vector<TokenFacts> top;  // the likeliest, best first
};

// What a drafter's guesses came to.
struct DraftFacts {
  int64_t num_drafted_tokens = 0;
  int64_t num_accepted_tokens = 0;  // of these: the model picked the same
};

// How an answer came about.
struct AnswerFacts {
  std::string model_name, model_path;
  Mode mode = Mode::kFast;
  Sampling sampling;
  std::vector<PictureFacts> pictures;  // in the order of the prompt
  std::vector<SoundFacts> sounds;      // likewise
  int64_t num_prompt_tokens = 0;
  int64_t num_reused_tokens = 0;  // of the prompt, that another answer had computed
  int64_t num_output_tokens = 0;
  FinishReason finish = FinishReason::kStop;
  std::vector<PickedToken> logprobs;  // where the node was asked for them
  std::optional<DraftFacts> drafts;   // where a drafter was at work
  std::chrono::nanoseconds queued_time{}, prefill_time{}, decode_time{};

  // The source of its first medium reads others too.
  bool is_one_of_several() const {
    return (!pictures.empty() && pictures.front().num_in_source > 1) ||
           (!sounds.empty() && sounds.front().origin.num_in_source > 1);
  }
};

// One finished item: an answer, or the first error that kept it from one.
struct Record {
  std::string item;
  graph::Time timestamp;
  int64_t epoch = 0;
  std::string text;
  std::optional<AnswerFacts> answer;
  std::optional<graph::ErrorPayload> error;
};

// One line of JSON, without its line end, of a packet with a Record, a Text, an error, or a list of them (timestamp_s,
// epoch, partial, items). The keys stand in one order:
// item, timestamp_s, epoch, text (null with an error), error (null without); then of a record finish, model, mode,
// sampling, pictures, sounds, tokens, drafts (only with a drafter) and timing_ms (these two may be left out: they
// differ from run to run), of a text its fields.
std::string ToJsonLine(const graph::Packet& packet, bool with_timing);

}  // namespace percept::nodes

template <>
struct percept::graph::PayloadTraits<percept::nodes::Record> {
  static constexpr const char* kName = "Record";
  static size_t Bytes(const percept::nodes::Record& record) {
    size_t bytes = sizeof(record) + HeapBytes(record.item) + HeapBytes(record.text);
    if (record.answer) {
      bytes += record.answer->pictures.size() * sizeof(percept::nodes::PictureFacts) +
               record.answer->sounds.size() * sizeof(percept::nodes::SoundFacts);
      for (const percept::nodes::PickedToken& token : record.answer->logprobs) {
        bytes += sizeof(token) + token.top.size() * sizeof(percept::nodes::TokenFacts);
      }
    }
    return bytes;
  }
};
