// SPDX-License-Identifier: Apache-2.0
#include "engine/generate.h"

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "decoder/text/output_collector.h"
#include "engine/model.h"
#include "engine/sound.h"
#include "kernels/core/error.h"

namespace percept {
namespace {

// What became of one medium: its soft tokens, or why there are none.
struct MediumEnd {
  std::shared_ptr<const SoftTokens> tokens;
  FinishReason finish = FinishReason::kStop;
  std::string failure;
};

class MediumAwaited : public MediumListener {
 public:
  void OnSoftTokens(std::shared_ptr<const SoftTokens> tokens) override {
    end_.set_value({.tokens = std::move(tokens)});
  }
  void OnMediumFailed(FinishReason finish, std::string reason) override {
    end_.set_value({.finish = finish, .failure = std::move(reason)});
  }
  MediumEnd Await() { return end_.get_future().get(); }

 private:
  std::promise<MediumEnd> end_;
};

class AnswerAwaited : public SequenceListener {
 public:
  struct End {
    FinishReason finish = FinishReason::kFailed;
    std::string failure;
    SequenceStats stats;
  };

  void OnTokens(std::span<const int32_t> ids) override {
    const std::lock_guard lock(mutex_);
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    changed_.notify_one();
  }
  void OnLogprobs(std::span<const PickedLogprobs> logprobs) override {
    const std::lock_guard lock(mutex_);
    logprobs_.insert(logprobs_.end(), logprobs.begin(), logprobs.end());
  }
  void OnFinish(FinishReason finish, std::string reason, const SequenceStats& stats) override {
    const std::lock_guard lock(mutex_);
    end_ = {finish, std::move(reason), stats};
    changed_.notify_one();
  }

  // Waits for tokens or the end; the end holds for the tokens beside it.
  std::optional<End> Await(std::vector<int32_t>* ids) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !ids_.empty() || end_; });
    ids->swap(ids_);
    ids_.clear();
    return end_;
  }
  // Once it has ended.
  std::vector<PickedLogprobs> TakeLogprobs() {
    const std::lock_guard lock(mutex_);
    return std::move(logprobs_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int32_t> ids_;
  std::vector<PickedLogprobs> logprobs_;
  std::optional<End> end_;
};

// Requests that nobody waits for any more once this goes. The engine leaves alone those that have ended.
class Requests {
 public:
  explicit Requests(Engine& engine) : engine_(engine) {}
  ~Requests() { Cancel(); }
  Requests(const Requests&) = delete;
  Requests& operator=(const Requests&) = delete;

  void Add(RequestId id) { ids_.push_back(id); }
  void Cancel() const {
    for (const RequestId id : ids_) {
      engine_.Cancel(id);
    }
  }

 private:
  Engine& engine_;
  std::vector<RequestId> ids_;
};

std::vector<ChatMessage> MessagesOf(const GenerateRequest& request) {
  if (request.messages.empty() == request.prompt.empty()) {
    throw ArgumentError("a request to generate has either a prompt or messages");
  }
  if (!request.messages.empty()) {
    return request.messages;
  }
  std::vector<ChatPart> content(request.pictures.size(), MediaKind::kImage);
  content.emplace_back(request.prompt);
  content.insert(content.end(), request.sounds.size(), MediaKind::kAudio);
  ChatMessage message;
  message.content = std::move(content);
  return {std::move(message)};
}

// Rows of soft tokens, one medium after the other.
using MediaRows = std::vector<std::shared_ptr<const SoftTokens>>;

// All media at once, so that they share the towers' steps.
class MediaAtWork {
 public:
  MediaAtWork(Model& model, const GenerateRequest& request) : requests_(model.engine()) {
    for (const std::span<const float> sound : request.sounds) {
      sounds_.push_back(std::make_shared<MediumAwaited>());
      requests_.Add(model.engine().SubmitSound({sound.begin(), sound.end()}, sounds_.back(), request.urgency));
    }
    const int budget = request.budget == 0 ? model.processor().image_budget : request.budget;
    for (const RgbView& picture : request.pictures) {
      pictures_.push_back(std::make_shared<MediumAwaited>());
      requests_.Add(
          model.engine().SubmitPicture(model.PreparePicture(picture, budget), pictures_.back(), request.urgency));
    }
  }

  // Rows of all of them, in their order; the first that has none ends it, and is the end of all.
  MediumEnd Await(const std::stop_token& stop, MediaRows* pictures, MediaRows* sounds) {
    const std::stop_callback cancel(stop, [this] { requests_.Cancel(); });
    for (const auto& [media, rows] : {std::pair(&pictures_, pictures), std::pair(&sounds_, sounds)}) {
      for (const auto& medium : *media) {
        MediumEnd end = medium->Await();
        if (end.tokens == nullptr) {
          return end;
        }
        rows->push_back(std::move(end.tokens));
      }
    }
    return {};
  }

 private:
  Requests requests_;
  std::vector<std::shared_ptr<MediumAwaited>> pictures_;
  std::vector<std::shared_ptr<MediumAwaited>> sounds_;
};

// The kinds of the media in the order of their places in the messages.
std::vector<MediaKind> KindsIn(const std::vector<ChatMessage>& messages) {
  std::vector<MediaKind> kinds;
  for (const ChatMessage& message : messages) {
    if (const auto* parts = std::get_if<std::vector<ChatPart>>(&message.content)) {
      for (const ChatPart& part : *parts) {
        if (const auto* kind = std::get_if<MediaKind>(&part)) kinds.push_back(*kind);
      }
    }
  }
  return kinds;
}

// In the order of the places that the messages have for them. Those without a place come last.
struct PlacedMedia {
  PlacedMedia(const std::vector<ChatMessage>& messages, const MediaRows& pictures, const MediaRows& sounds) {
    auto picture = pictures.begin();
    auto sound = sounds.begin();
    for (const MediaKind kind : KindsIn(messages)) {
      if (kind == MediaKind::kImage && picture != pictures.end()) Add(kind, *picture++);
      if (kind == MediaKind::kAudio && sound != sounds.end()) Add(kind, *sound++);
    }
    for (; picture != pictures.end(); ++picture) Add(MediaKind::kImage, *picture);
    for (; sound != sounds.end(); ++sound) Add(MediaKind::kAudio, *sound);
  }

  std::vector<MediaItem> items;
  MediaRows rows;

 private:
  void Add(MediaKind kind, const std::shared_ptr<const SoftTokens>& medium) {
    items.push_back({kind, {{static_cast<int>(medium->rows.rows()), 0}}});
    rows.push_back(medium);
  }
};

SequenceRequest MakeSequence(const Model& model, const GenerateRequest& request, const MediaRows& pictures,
                             const MediaRows& sounds) {
  const std::vector<ChatMessage> messages = MessagesOf(request);
  PlacedMedia media(messages, pictures, sounds);
  Prompt prompt =
      model.BuildPrompt(messages, media.items, {.enable_thinking = request.enable_thinking, .tools = request.tools});
  std::vector<int64_t> cut_rows = TurnCuts(prompt, model.special_tokens());
  return {.prompt = std::move(prompt),
          .media = std::move(media.rows),
          .max_tokens = request.max_tokens,
          .sampling = request.sampling,
          .top_logprobs = request.top_logprobs,
          .max_repeats = request.max_repeats,
          .urgency = request.urgency,
          .cut_rows = std::move(cut_rows)};
}

void Tell(const OnText& on_text, const std::string& piece) {
  if (on_text && !piece.empty()) {
    on_text(piece);
  }
}

}  // namespace

Generation Model::Generate(const GenerateRequest& request, const OnText& on_text, const std::stop_token& stop) {
  // Refusals come before any work.
  MessagesOf(request);
  if (!request.pictures.empty()) {
    RequireTakes(card(), MediaKind::kImage);
  }
  if (!request.sounds.empty()) {
    RequireTakes(card(), MediaKind::kAudio);
  }
  for (const std::span<const float> sound : request.sounds) {
    RequireClipFits(static_cast<int64_t>(sound.size()), processor());
  }
  Generation generation;
  MediaRows pictures, sounds;
  if (MediumEnd end = MediaAtWork(*this, request).Await(stop, &pictures, &sounds); end.finish != FinishReason::kStop) {
    generation.finish = end.finish;
    generation.failure = std::move(end.failure);
    return generation;
  }
  SequenceRequest sequence = MakeSequence(*this, request, pictures, sounds);
  if (request.form != nullptr) {
    sequence.constraint = Constrain(request.form, sequence.prompt, request.enable_thinking);
  }
  const OutputCollector::Start start = OutputCollector::StartAfter(sequence.prompt.ids, special_tokens());
  OutputCollector collector(tokenizer(), special_tokens(), start);
  const auto answer = std::make_shared<AnswerAwaited>();
  Requests requests(engine());
  requests.Add(engine().SubmitSequence(std::move(sequence), answer));
  const std::stop_callback cancel(stop, [&] { requests.Cancel(); });
  std::optional<AnswerAwaited::End> end;
  std::vector<int32_t> ids;
  while (!end) {
    end = answer->Await(&ids);
    for (const int32_t id : ids) {
      Tell(on_text, collector.Push(id));
    }
  }
  Tell(on_text, collector.Finish());
  generation.text = collector.text();
  generation.reasoning = collector.reasoning();
  generation.tool_calls = collector.tool_calls();
  generation.logprobs = answer->TakeLogprobs();
  generation.finish = end->finish;
  generation.failure = std::move(end->failure);
  generation.stats = end->stats;
  return generation;
}

}  // namespace percept
