// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/model.h"
#include "tests/support/manual_executor.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_context.h"
#include "tests/support/trace_recorder.h"

namespace percept {

// What an engine said about a picture or a clip.
struct MediumResult : MediumListener {
  void OnSoftTokens(std::shared_ptr<const SoftTokens> the_tokens) override {
    ++num_terminal_calls;
    tokens = std::move(the_tokens);
  }
  void OnMediumFailed(FinishReason finish, std::string reason) override {
    ++num_terminal_calls;
    failed = finish;
    failure = std::move(reason);
  }

  int num_terminal_calls = 0;
  std::shared_ptr<const SoftTokens> tokens;
  std::optional<FinishReason> failed;
  std::string failure;
};

// What an engine said about a sequence.
struct SequenceResult : SequenceListener {
  void OnTokens(std::span<const int32_t> the_ids) override { ids.insert(ids.end(), the_ids.begin(), the_ids.end()); }
  void OnFinish(FinishReason the_finish, std::string reason, const SequenceStats& the_stats) override {
    ++num_terminal_calls;
    finish = the_finish;
    failure = std::move(reason);
    stats = the_stats;
  }

  int num_terminal_calls = 0;
  std::vector<int32_t> ids;
  std::optional<FinishReason> finish;
  std::string failure;
  SequenceStats stats;
};

// Keeps the log-probabilities of the likeliest tokens too: equal ones come from equal logits.
struct LogprobsResult : SequenceResult {
  void OnLogprobs(std::span<const PickedLogprobs> the_logprobs) override;

  std::vector<float> logprobs;
};

// Fails the first event of a name.
class FailingTrace : public TraceSink {
 public:
  void Record(const TraceEvent& event) override {
    if (event.name == fail_at && event.phase == TraceEvent::Phase::kBegin) {
      fail_at = {};
      throw std::runtime_error("the step broke");
    }
  }
  std::string_view fail_at;
};

// The embedded model.
std::filesystem::path EmbeddedModelDir();

// A model on an executor that the test drives.
struct OpenModel {
  explicit OpenModel(const std::filesystem::path& path, Mode mode = Mode::kExact, EngineOptions options = {},
                     const std::filesystem::path& mmproj = {}, const std::filesystem::path& drafter = {});
  ~OpenModel();

  Engine& engine() { return model->engine(); }
  // Runs the engine until nothing is left to do.
  std::shared_ptr<MediumResult> Encode(const std::filesystem::path& picture, int budget);
  std::shared_ptr<MediumResult> Encode(ImagePatches patches);
  std::shared_ptr<MediumResult> Hear(std::vector<float> samples);

  TraceRecorder trace;
  ManualExecutor executor;
  std::unique_ptr<Model> model;
};

// Submits a sequence; what is said about it is in the `Result`.
template <typename Result>
std::shared_ptr<Result> Give(OpenModel& open, SequenceRequest request) {
  auto result = std::make_shared<Result>();
  const std::shared_ptr<SequenceListener> listener = result;
  open.engine().SubmitSequence(std::move(request), listener);
  return result;
}

// The same, and runs the engine until nothing is left to do.
template <typename Result>
std::shared_ptr<Result> Ask(OpenModel& open, SequenceRequest request) {
  auto result = Give<Result>(open, std::move(request));
  open.executor.RunAll();
  return result;
}

// A user turn with the pictures before the words, as the samples of the embedded model have it.
SequenceRequest AskAbout(const Model& model, const std::vector<std::shared_ptr<const SoftTokens>>& pictures,
                         const std::string& words);

// A prompt of plain ids.
SequenceRequest TextRequest(std::vector<int32_t> ids, int64_t max_tokens);

// The small E2B of the goldens without its audio tower, in a folder that the test may change.
class SmallCheckpoint {
 public:
  SmallCheckpoint();
  const std::filesystem::path& path() const { return folder_.path(); }
  const TempFolder& folder() const { return folder_; }
  void Remove(const std::string& file) const { std::filesystem::remove(path() / file); }
  // Replaces the first `from` in a file.
  void Edit(const std::string& file, const std::string& from, const std::string& to) const;

 private:
  TempFolder folder_;
};

// Over the variants of the goldens by name; "e2b" is the SmallCheckpoint, which is there always.
class VariantTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override;

  SmallCheckpoint checkpoint_;
  std::filesystem::path path_ = checkpoint_.path();
  TextConfig config_;
};

}  // namespace percept
