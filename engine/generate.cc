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
#include "kernels/core/error.h"

namespace percept {
namespace {

// What became of one picture: its soft tokens, or why there are none.
struct PictureEnd {
  std::shared_ptr<const SoftTokens> tokens;
  FinishReason finish = FinishReason::kStop;
  std::string failure;
};

class PictureAwaited : public PictureListener {
 public:
  void OnSoftTokens(std::shared_ptr<const SoftTokens> tokens) override {
    end_.set_value({.tokens = std::move(tokens)});
  }
  void OnPictureFailed(FinishReason finish, std::string reason) override {
    end_.set_value({.finish = finish, .failure = std::move(reason)});
  }
  PictureEnd Await() { return end_.get_future().get(); }

 private:
  std::promise<PictureEnd> end_;
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
  ChatMessage message;
  message.content = std::move(content);
  return {std::move(message)};
}

// All pictures at once, so that they share the tower's steps. The first that has no soft tokens ends it.
PictureEnd Encode(Model& model, const GenerateRequest& request, const std::stop_token& stop,
                  std::vector<std::shared_ptr<const SoftTokens>>* media) {
  Requests requests(model.engine());
  std::vector<std::shared_ptr<PictureAwaited>> pictures;
  const int budget = request.budget == 0 ? model.processor().image_budget : request.budget;
  for (const RgbView& picture : request.pictures) {
    pictures.push_back(std::make_shared<PictureAwaited>());
    requests.Add(model.engine().SubmitPicture(model.PreparePicture(picture, budget), pictures.back()));
  }
  const std::stop_callback cancel(stop, [&] { requests.Cancel(); });
  for (const auto& picture : pictures) {
    PictureEnd end = picture->Await();
    if (end.tokens == nullptr) {
      return end;
    }
    media->push_back(std::move(end.tokens));
  }
  return {};
}

SequenceRequest MakeSequence(const Model& model, const GenerateRequest& request,
                             std::vector<std::shared_ptr<const SoftTokens>> tokens) {
  std::vector<MediaItem> media;
  for (const auto& picture : tokens) {
    media.push_back({MediaKind::kImage, {{static_cast<int>(picture->rows.rows()), 0}}});
  }
  return {.prompt = model.BuildPrompt(MessagesOf(request), media,
                                      {.enable_thinking = request.enable_thinking, .tools = request.tools}),
          .media = std::move(tokens),
          .max_tokens = request.max_tokens,
          .sampling = request.sampling,
          .top_logprobs = request.top_logprobs,
          .max_repeats = request.max_repeats,
          .priority = request.priority};
}

void Tell(const OnText& on_text, const std::string& piece) {
  if (on_text && !piece.empty()) {
    on_text(piece);
  }
}

}  // namespace

Generation Model::Generate(const GenerateRequest& request, const OnText& on_text, const std::stop_token& stop) {
  MessagesOf(request);  // refuses before any work is done
  Generation generation;
  std::vector<std::shared_ptr<const SoftTokens>> media;
  if (PictureEnd end = Encode(*this, request, stop, &media); media.size() != request.pictures.size()) {
    generation.finish = end.finish;
    generation.failure = std::move(end.failure);
    return generation;
  }
  SequenceRequest sequence = MakeSequence(*this, request, std::move(media));
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
