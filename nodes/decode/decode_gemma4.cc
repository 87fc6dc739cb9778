// SPDX-License-Identifier: Apache-2.0
//
//   say: { type: decode.gemma4, in: see.tokens, prompt: "Read all text in the image.", max_tokens: 512 }
//
//   say: { type: decode.gemma4, in: { frame: see.tokens, sound: hear.tokens },
//          prompt: [ { image: frame }, { text: "What happens?" }, { audio: sound } ] }
//
// Answers a prompt about each set of media. Sequences run in the model's engine, several at a time; answers leave in
// the order of their sets: `delta` piece by piece, `record` once each is finished.
#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "decoder/text/output_collector.h"
#include "graph/node/registry.h"
#include "kernels/core/error.h"
#include "nodes/decode/answer_options.h"
#include "nodes/decode/prompt_parts.h"
#include "nodes/payload/record.h"
#include "nodes/payload/soft_tokens.h"
#include "nodes/payload/text_delta.h"
#include "nodes/runtime.h"

namespace percept::nodes {
namespace {

// One answer in the engine: the tokens that came since the node last looked, and who is to be woken by more.
class Answer : public SequenceListener {
 public:
  struct End {
    FinishReason finish = FinishReason::kFailed;
    std::string failure;
    SequenceStats stats;
  };

  Answer(graph::Pending work, OutputCollector output, graph::Waker waker)
      : pending(std::move(work)), collector(std::move(output)), waker_(std::move(waker)) {}

  void OnTokens(std::span<const int32_t> ids) override {
    const std::lock_guard lock(mutex_);
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    waker_.Wake();
  }
  void OnLogprobs(std::span<const PickedLogprobs> logprobs) override {
    const std::lock_guard lock(mutex_);
    logprobs_.insert(logprobs_.end(), logprobs.begin(), logprobs.end());
  }
  void OnFinish(FinishReason finish, std::string reason, const SequenceStats& stats) override {
    if (finish == FinishReason::kCancelled) {
      reason = "cancelled";
    }
    SetEnd({finish, std::move(reason), stats});
  }
  void Fail(graph::ErrorKind kind, std::string reason) {
    error_kind = kind;
    SetEnd({FinishReason::kFailed, std::move(reason), {}});
  }

  // Moves the new tokens to `ids`; the end, if it is known, holds for them.
  std::optional<End> Take(std::vector<int32_t>* ids) {
    const std::lock_guard lock(mutex_);
    ids->swap(ids_);
    ids_.clear();
    return end_;
  }

  // Once it has ended.
  std::vector<PickedLogprobs> TakeLogprobs() {
    const std::lock_guard lock(mutex_);
    return std::move(logprobs_);
  }

  // The node's own.
  graph::Pending pending;
  OutputCollector collector;
  std::vector<PictureFacts> pictures;
  std::vector<SoundFacts> sounds;
  std::string unsent_text;
  bool text_ended = false;
  graph::ErrorKind error_kind = graph::ErrorKind::kNode;
  RequestId request = 0;
  bool cancel_told = false;  // to the engine

 private:
  void SetEnd(End end) {
    graph::Waker waker;
    {
      const std::lock_guard lock(mutex_);
      end_ = std::move(end);
      waker = std::move(waker_);
    }
    waker.Wake();
  }

  std::mutex mutex_;
  std::vector<int32_t> ids_;
  std::vector<PickedLogprobs> logprobs_;
  std::optional<End> end_;
  graph::Waker waker_;
};

class DecodeGemma4 : public graph::Node {
 public:
  DecodeGemma4(Model& model, const graph::Value& prompt, AnswerOptions options)
      : model_(model), prompt_(prompt), options_(std::move(options)) {}

  graph::Process Process(graph::NodeContext& context) override {
    CancelGivenUp();
    if (!context.inputs().empty() && !set_taken_) {
      Submit(context);
      set_taken_ = true;
    }
    if (SendAnswers(context)) {
      return graph::Process::kHaveOutput;
    }
    set_taken_ = false;
    return graph::Process::kNeedInput;
  }

  void Close() override {
    for (const auto& answer : answers_) {
      model_.engine().Cancel(answer->request);
    }
    answers_.clear();
  }

 private:
  void Submit(graph::NodeContext& context) {
    auto answer = std::make_shared<Answer>(context.Hold(), OutputCollector(model_.tokenizer(), model_.special_tokens()),
                                           context.waker());
    answers_.push_back(answer);
    if (answer->pending.cancelled()) {
      answer->cancel_told = true;
      return answer->Fail(graph::ErrorKind::kNode, "cancelled");
    }
    try {
      SequenceRequest request = MakeRequest(context.inputs(), answer.get());
      answer->request = model_.engine().SubmitSequence(std::move(request), answer);
    } catch (const InputError& error) {
      answer->Fail(graph::ErrorKind::kBadInput, error.what());
    }
  }

  void CancelGivenUp() {
    for (const auto& answer : answers_) {
      if (answer->pending.cancelled() && !std::exchange(answer->cancel_told, true)) {
        model_.engine().Cancel(answer->request);
      }
    }
  }

  static const SoftTokens& MediumOf(const PromptPart& part, const graph::InputSet& inputs) {
    return inputs.Get(part.port).Get<SoftTokens>();
  }

  // Where the prompt is plain text, pictures stand before it and sound behind it, as the model cards say.
  std::vector<PromptPart> PartsOf(const graph::InputSet& inputs) const {
    std::vector<PromptPart> parts = ParsePrompt(prompt_, inputs.ports());
    if (!prompt_.is_list()) {
      std::stable_partition(parts.begin(), parts.end(), [&](const PromptPart& part) {
        return part.port.empty() || MediumOf(part, inputs).kind != MediaKind::kAudio;
      });
    }
    return parts;
  }

  static void KeepFacts(const SoftTokens& medium, Answer* answer) {
    if (medium.kind == MediaKind::kAudio) {
      answer->sounds.push_back(medium.sound);
    } else {
      answer->pictures.push_back(medium.picture);
    }
  }

  SequenceRequest MakeRequest(const graph::InputSet& inputs, Answer* answer) const {
    SequenceRequest request;
    request.max_tokens = options_.max_tokens;
    request.sampling = options_.sampling;
    request.top_logprobs = options_.top_logprobs;
    request.max_repeats = options_.max_repeats;
    request.urgency.priority = options_.priority;
    if (options_.deadline) {
      request.urgency.deadline = Urgency::Clock::now() + *options_.deadline;
    }
    std::vector<ChatPart> content;
    std::vector<MediaItem> media;
    for (const PromptPart& part : PartsOf(inputs)) {
      if (part.port.empty()) {
        content.emplace_back(part.text);
        continue;
      }
      const SoftTokens& tokens = MediumOf(part, inputs);
      if (part.kind && *part.kind != tokens.kind) {
        throw InputError("the prompt has " + std::string(MediaKindName(*part.kind)) + " where input '" + part.port +
                         "' brings " + MediaKindName(tokens.kind));
      }
      content.emplace_back(tokens.kind);
      media.push_back({tokens.kind, {{static_cast<int>(tokens.rows->rows.rows()), 0}}});
      request.media.push_back(tokens.rows);
      KeepFacts(tokens, answer);
    }
    std::vector<ChatMessage> messages;
    if (!options_.system.empty()) {
      messages.push_back({.role = Role::kSystem, .content = options_.system});
    }
    messages.push_back({.content = std::move(content)});
    request.prompt = model_.BuildPrompt(messages, media, {.enable_thinking = options_.thinking});
    request.cut_rows = TurnCuts(request.prompt, model_.special_tokens());
    if (options_.form != nullptr) {
      request.constraint = model_.Constrain(options_.form, request.prompt, options_.thinking);
    }
    return request;
  }

  // In the order the sets came: time never runs backwards on an edge. True where more is ready than there is room for.
  bool SendAnswers(graph::NodeContext& context) {
    while (!answers_.empty()) {
      Answer& answer = *answers_.front();
      const std::optional<Answer::End> end = TakeText(&answer);
      if (!SendText(context, &answer)) {
        return true;
      }
      if (!end) {
        return false;
      }
      if (!context.CanSend("record") || !context.CanSend("delta")) {
        return true;
      }
      SendEnd(context, *end, &answer);
      answer.pending.Done();
      answers_.pop_front();
    }
    return false;
  }

  static std::optional<Answer::End> TakeText(Answer* answer) {
    std::vector<int32_t> ids;
    std::optional<Answer::End> end = answer->Take(&ids);
    for (const int32_t id : ids) {
      answer->unsent_text += answer->collector.Push(id);
    }
    if (end && !answer->text_ended) {
      answer->unsent_text += answer->collector.Finish();
      answer->text_ended = true;
    }
    return end;
  }

  static bool SendText(graph::NodeContext& context, Answer* answer) {
    if (answer->unsent_text.empty() || !context.IsRead("delta")) {
      answer->unsent_text.clear();
      return true;
    }
    if (!context.CanSend("delta")) {
      return false;
    }
    TextDelta delta{std::exchange(answer->unsent_text, "")};
    context.Send("delta", graph::Packet::Make(std::move(delta), answer->pending.time()), answer->pending);
    return true;
  }

  void SendEnd(graph::NodeContext& context, const Answer::End& end, Answer* answer) const {
    if (end.finish == FinishReason::kFailed || end.finish == FinishReason::kCancelled ||
        end.finish == FinishReason::kExpired) {
      context.SendError(answer->error_kind, end.failure, answer->pending);
      return;
    }
    Record record;
    record.item = answer->pending.item_label();
    record.timestamp = answer->pending.time();
    record.epoch = answer->pending.origin().epoch;
    record.text = answer->collector.text();
    record.answer = AnswerFacts{.model_name = model_.card().name,
                                .model_path = model_.card().path,
                                .mode = model_.mode(),
                                .sampling = options_.sampling,
                                .pictures = std::move(answer->pictures),
                                .sounds = std::move(answer->sounds),
                                .num_prompt_tokens = end.stats.num_prompt_rows,
                                .num_reused_tokens = end.stats.num_reused_rows,
                                .num_output_tokens = end.stats.num_output_tokens,
                                .finish = end.finish,
                                .logprobs = WithText(answer->TakeLogprobs()),
                                .drafts = DraftsOf(end.stats),
                                .queued_time = end.stats.queued,
                                .prefill_time = end.stats.first_token,
                                .decode_time = end.stats.decode};
    context.Send("record", graph::Packet::Make(std::move(record), answer->pending.time()), answer->pending);
  }

  std::optional<DraftFacts> DraftsOf(const SequenceStats& stats) const {
    if (!model_.card().drafter) return std::nullopt;
    return DraftFacts{stats.num_drafted_tokens, stats.num_accepted_tokens};
  }

  std::vector<PickedToken> WithText(const std::vector<PickedLogprobs>& logprobs) const {
    const auto with_text = [this](const TokenLogprob& token) {
      TokenFacts facts{.logprob = token.logprob};
      model_.tokenizer().AppendText(token.id, &facts.text);
      return facts;
    };
    std::vector<PickedToken> tokens;
    for (const PickedLogprobs& token : logprobs) {
      PickedToken& written = tokens.emplace_back(PickedToken{with_text(token.picked), {}});
      for (const TokenLogprob& other : token.top) {
        written.top.push_back(with_text(other));
      }
    }
    return tokens;
  }

  Model& model_;
  const graph::Value prompt_;
  const AnswerOptions options_;
  std::deque<std::shared_ptr<Answer>> answers_;
  bool set_taken_ = false;  // the set is kept while there is no room on the outputs
};

}  // namespace

void RegisterDecodeGemma4(graph::Registry* registry) {
  graph::Contract contract{
      .type = "decode.gemma4",
      .doc = "Answers a prompt about pictures and sound with a Gemma 4 model.",
      .example = "say: { type: decode.gemma4, in: see.tokens, prompt: \"Read all text in the image.\" }",
      .dynamic_inputs =
          graph::DynamicInputs{
              .types = {"SoftTokens"}, .doc = "media; the prompt's parts name these inputs", .single_name = "media"},
      .outputs = {{.name = "delta", .type = "TextDelta", .doc = "pieces as they come", .many_per_time = true},
                  {.name = "record", .type = "Record", .doc = "one finished answer per prompt"}},
      .params = AnswerParams(),
  };
  for (graph::ParamDecl& param : ModelParams()) contract.params.push_back(std::move(param));
  const auto make = [](const graph::ParamValues& params, const graph::Services& services) {
    Runtime& runtime = services.Get<Runtime>();
    Model& model = runtime.OpenModel(ModelFilesOf(params, runtime.default_files()));
    return std::make_unique<DecodeGemma4>(model, params.Get<graph::Value>("prompt"),
                                          ReadAnswerOptions(params, model.generation()));
  };
  const auto check = [](const graph::ParamValues& params, const std::vector<std::string>& input_ports) {
    const auto& prompt = params.Get<graph::Value>("prompt");
    ParsePrompt(prompt, input_ports);
    CheckAnswerOptions(params, prompt.position());
  };
  registry->Register(std::move(contract), make, check);
}

}  // namespace percept::nodes
