// SPDX-License-Identifier: Apache-2.0
#include "nodes/payload/record.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <variant>

#include "graph/packet/packet_list.h"
#include "nodes/payload/text.h"

namespace percept::nodes {
namespace {

using Json = nlohmann::ordered_json;

// File names need not be UTF-8; JSON must be.
std::string ToLine(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// Microseconds are as fine as these times mean anything.
double Milliseconds(std::chrono::nanoseconds time) { return std::round(static_cast<double>(time.count()) / 1e3) / 1e3; }

Json PictureJson(const PictureFacts& picture) {
  return {{"source", picture.source},
          {"width", picture.size.width},
          {"height", picture.size.height},
          {"resized_width", picture.resized.width},
          {"resized_height", picture.resized.height},
          {"budget", picture.budget},
          {"soft_tokens", picture.num_soft_tokens},
          {"repairs", picture.repairs}};
}

Json SoundJson(const SoundFacts& sound) {
  const SoundOrigin& origin = sound.origin;
  return {{"source", origin.source},
          {"start_s", origin.start.seconds()},
          {"seconds", sound.duration.seconds()},
          {"codec", origin.codec},
          {"rate_hz", origin.rate_hz},
          {"channels", origin.channels},
          {"gaps", origin.num_gaps},
          {"gap_s", origin.gap_time.seconds()},
          {"overlaps", origin.num_overlaps},
          {"lost_packets", origin.num_lost_packets},
          {"soft_tokens", sound.num_soft_tokens}};
}

Json SamplingJson(const Sampling& sampling) {
  Json json = {{"temperature", sampling.temperature}};
  if (sampling.temperature == 0) {
    return json;
  }
  json["top_k"] = sampling.top_k;
  json["top_p"] = sampling.top_p;
  json["seed"] = sampling.seed;
  return json;
}

Json TokenJson(const TokenFacts& token) {
  // JSON has no infinity: a token that cannot be.
  return {{"text", token.text}, {"logprob", std::isfinite(token.logprob) ? Json(token.logprob) : Json(nullptr)}};
}

Json LogprobsJson(const std::vector<PickedToken>& tokens) {
  Json json = Json::array();
  for (const PickedToken& token : tokens) {
    Json& written = json.emplace_back(TokenJson(token.picked));
    written["top"] = Json::array();
    for (const TokenFacts& other : token.top) {
      written["top"].push_back(TokenJson(other));
    }
  }
  return json;
}

void AddAnswer(const AnswerFacts& answer, bool with_timing, Json* json) {
  Json& out = *json;
  out["finish"] = FinishReasonName(answer.finish);
  out["model"] = {{"name", answer.model_name}, {"path", answer.model_path}};
  out["mode"] = answer.mode == Mode::kExact ? "exact" : "fast";
  out["sampling"] = SamplingJson(answer.sampling);
  out["pictures"] = Json::array();
  int64_t num_soft_tokens = 0;
  std::chrono::nanoseconds decode{}, preprocess{}, encode{};
  for (const PictureFacts& picture : answer.pictures) {
    out["pictures"].push_back(PictureJson(picture));
    num_soft_tokens += picture.num_soft_tokens;
    decode += picture.decode_time;
    preprocess += picture.preprocess_time;
    encode += picture.encode_time;
  }
  out["sounds"] = Json::array();
  for (const SoundFacts& sound : answer.sounds) {
    out["sounds"].push_back(SoundJson(sound));
    num_soft_tokens += sound.num_soft_tokens;
    decode += sound.origin.decode_time;
    encode += sound.encode_time;
  }
  out["tokens"] = {
      {"soft", num_soft_tokens}, {"prompt", answer.num_prompt_tokens}, {"output", answer.num_output_tokens}};
  if (!answer.logprobs.empty()) {
    out["logprobs"] = LogprobsJson(answer.logprobs);
  }
  if (!with_timing) {
    return;
  }
  out["tokens"]["reused"] = answer.num_reused_tokens;
  if (answer.drafts) {
    out["drafts"] = {{"drafted", answer.drafts->num_drafted_tokens}, {"accepted", answer.drafts->num_accepted_tokens}};
  }
  out["timing_ms"] = {{"read", Milliseconds(decode)},
                      {"preprocess", Milliseconds(preprocess)},
                      {"encode", Milliseconds(encode)},
                      {"queued", Milliseconds(answer.queued_time)},
                      {"prefill", Milliseconds(answer.prefill_time)},
                      {"decode", Milliseconds(answer.decode_time)}};
}

Record MakeErrorRecord(const graph::Packet& packet) {
  Record record;
  record.error = packet.Get<graph::ErrorPayload>();
  record.item = record.error->item;
  record.timestamp = packet.timestamp();
  record.epoch = packet.origin().epoch;
  return record;
}

Json RecordJson(const Record& record, bool with_timing) {
  Json json;
  json["item"] = record.item;
  json["timestamp_s"] = record.timestamp.seconds();
  json["epoch"] = record.epoch;
  json["text"] = record.error ? Json(nullptr) : Json(record.text);
  json["error"] = nullptr;
  if (record.error) {
    json["error"] = {
        {"kind", graph::ToString(record.error->kind)}, {"reason", record.error->reason}, {"node", record.error->node}};
  }
  if (record.answer) {
    AddAnswer(*record.answer, with_timing, &json);
  }
  return json;
}

Json TextJson(const graph::Packet& packet) {
  const auto& text = packet.Get<Text>();
  Json json = {{"item", packet.item_label()},
               {"timestamp_s", packet.timestamp().seconds()},
               {"epoch", packet.origin().epoch},
               {"text", text.text},
               {"error", nullptr},
               {"fields", Json::object()}};
  for (const auto& [name, field] : text.fields) {
    Json& written = json["fields"][name];
    std::visit([&](const auto& value) { written = value; }, field);
  }
  return json;
}

Json PacketJson(const graph::Packet& packet, bool with_timing) {
  if (packet.is_error()) {
    return RecordJson(MakeErrorRecord(packet), with_timing);
  }
  if (packet.Is<Text>()) {
    return TextJson(packet);
  }
  if (packet.Is<Record>()) {
    return RecordJson(packet.Get<Record>(), with_timing);
  }
  const auto& list = packet.Get<graph::PacketList>();
  Json json = {{"timestamp_s", packet.timestamp().seconds()},
               {"epoch", packet.origin().epoch},
               {"partial", list.partial},
               {"items", Json::array()}};
  for (const graph::Packet& item : list.packets) {
    json["items"].push_back(PacketJson(item, with_timing));
  }
  return json;
}

}  // namespace

std::string ToJsonLine(const graph::Packet& packet, bool with_timing) {
  return ToLine(PacketJson(packet, with_timing));
}

}  // namespace percept::nodes
