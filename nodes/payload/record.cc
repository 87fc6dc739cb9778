// SPDX-License-Identifier: Apache-2.0
#include "nodes/payload/record.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace percept::nodes {
namespace {

using Json = nlohmann::ordered_json;

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

void AddAnswer(const AnswerFacts& answer, Json* json) {
  Json& out = *json;
  out["finish"] = FinishReasonName(answer.finish);
  out["model"] = {{"name", answer.model_name}, {"path", answer.model_path}};
  out["mode"] = answer.mode == Mode::kExact ? "exact" : "fast";
  out["sampling"] = {{"temperature", answer.sampling.temperature}};
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
  out["tokens"] = {
      {"soft", num_soft_tokens}, {"prompt", answer.num_prompt_tokens}, {"output", answer.num_output_tokens}};
  out["timing_ms"] = {{"read", Milliseconds(decode)},
                      {"preprocess", Milliseconds(preprocess)},
                      {"encode", Milliseconds(encode)},
                      {"queued", Milliseconds(answer.queued_time)},
                      {"prefill", Milliseconds(answer.prefill_time)},
                      {"decode", Milliseconds(answer.decode_time)}};
}

}  // namespace

Record MakeErrorRecord(const graph::Packet& packet) {
  Record record;
  record.error = packet.Get<graph::ErrorPayload>();
  record.item = record.error->item;
  record.timestamp = packet.timestamp();
  record.epoch = packet.origin().epoch;
  return record;
}

std::string ToJsonLine(const Record& record) {
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
    AddAnswer(*record.answer, &json);
  }
  // File names need not be UTF-8; JSON must be.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace percept::nodes
