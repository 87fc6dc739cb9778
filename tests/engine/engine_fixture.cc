// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/engine_fixture.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include "tests/encoders/png.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

std::string ReadFile(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace

void LogprobsResult::OnLogprobs(std::span<const PickedLogprobs> the_logprobs) {
  for (const PickedLogprobs& token : the_logprobs) {
    for (const TokenLogprob& other : token.top) {
      logprobs.push_back(other.logprob);
    }
  }
}

std::filesystem::path EmbeddedModelDir() { return SourceDir() / "models" / "percept-tiny"; }

OpenModel::OpenModel(const std::filesystem::path& path, Mode mode, EngineOptions options,
                     const std::filesystem::path& mmproj, const std::filesystem::path& drafter) {
  options.executor = &executor;
  options.trace = options.trace == nullptr ? &trace : options.trace;
  model = Model::Open(path,
                      {.mode = mode, .max_isa = TestMaxIsa(), .mmproj = mmproj, .drafter = drafter, .engine = options});
}

OpenModel::~OpenModel() { executor.RunAll(); }

std::shared_ptr<MediumResult> OpenModel::Encode(const std::filesystem::path& picture, int budget) {
  return Encode(model->PreparePicture(ReadPng(picture).view(), budget));
}

std::shared_ptr<MediumResult> OpenModel::Encode(ImagePatches patches) {
  auto result = std::make_shared<MediumResult>();
  engine().SubmitPicture(std::move(patches), result);
  executor.RunAll();
  return result;
}

std::shared_ptr<MediumResult> OpenModel::Hear(std::vector<float> samples) {
  auto result = std::make_shared<MediumResult>();
  engine().SubmitSound(std::move(samples), result);
  executor.RunAll();
  return result;
}

SequenceRequest AskAbout(const Model& model, const std::vector<std::shared_ptr<const SoftTokens>>& pictures,
                         const std::string& words) {
  SequenceRequest request{.media = pictures};
  std::vector<ChatPart> content;
  std::vector<MediaItem> media;
  for (const auto& picture : pictures) {
    content.emplace_back(MediaKind::kImage);
    media.push_back({MediaKind::kImage, {{static_cast<int>(picture->rows.rows()), 0}}});
  }
  content.emplace_back(words);
  ChatMessage message;
  message.content = std::move(content);
  request.prompt = model.BuildPrompt({std::move(message)}, media);
  return request;
}

SequenceRequest TextRequest(std::vector<int32_t> ids, int64_t max_tokens) {
  SequenceRequest request;
  request.prompt.ids = std::move(ids);
  request.max_tokens = max_tokens;
  return request;
}

SmallCheckpoint::SmallCheckpoint() {
  const std::filesystem::path source = TestDataDir() / "e2b";
  for (const char* file : {"generation_config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json",
                           "model.safetensors"}) {
    std::filesystem::copy_file(source / file, path() / file);
    std::filesystem::permissions(path() / file, std::filesystem::perms::owner_write,
                                 std::filesystem::perm_options::add);
  }
  nlohmann::json config = nlohmann::json::parse(ReadFile(source / "config.json"));
  config.erase("audio_config");
  folder_.Write("config.json", config.dump(1));
}

void SmallCheckpoint::Edit(const std::string& file, const std::string& from, const std::string& to) const {
  std::string text = ReadFile(path() / file);
  const size_t place = text.find(from);
  if (place == std::string::npos) {
    throw std::runtime_error(file + " does not contain " + from);
  }
  folder_.Write(file, text.replace(place, from.size(), to));
}

void VariantTest::SetUp() {
  if (GetParam() != std::string("e2b")) {
    PERCEPT_NEED_SHARED();
    path_ = SharedDir() / "goldens" / "variants" / GetParam();
  }
  config_ = Model::Inspect(path_).text;
}

}  // namespace percept
