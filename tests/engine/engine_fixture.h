// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/model.h"
#include "tests/support/manual_executor.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_context.h"
#include "tests/support/trace_recorder.h"

namespace percept {

// What an engine said about a picture.
struct PictureResult : PictureListener {
  void OnSoftTokens(std::shared_ptr<const SoftTokens> the_tokens) override {
    ++num_terminal_calls;
    tokens = std::move(the_tokens);
  }
  void OnPictureFailed(FinishReason finish, std::string reason) override {
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

// The embedded model.
std::filesystem::path EmbeddedModelDir();

// A model on an executor that the test drives.
struct OpenModel {
  explicit OpenModel(const std::filesystem::path& path, Mode mode = Mode::kExact, EngineOptions options = {},
                     const std::filesystem::path& mmproj = {});
  ~OpenModel();

  Engine& engine() { return model->engine(); }
  // Runs the engine until nothing is left to do.
  std::shared_ptr<PictureResult> Encode(const std::filesystem::path& picture, int budget);
  std::shared_ptr<PictureResult> Encode(ImagePatches patches);

  TraceRecorder trace;
  ManualExecutor executor;
  std::unique_ptr<Model> model;
};

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

}  // namespace percept
