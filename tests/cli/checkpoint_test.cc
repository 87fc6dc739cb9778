// SPDX-License-Identifier: Apache-2.0
// Checkpoints that cannot be used, made from the embedded one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli/program.h"
#include "tests/support/safetensors_bytes.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"

namespace percept::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using Json = nlohmann::ordered_json;

std::string ReadBytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A copy of the embedded model that can be spoilt.
class Checkpoint {
 public:
  Checkpoint() {
    const std::filesystem::path model = SourceDir() / "models" / "percept-tiny";
    std::filesystem::copy(model, folder_.path(), std::filesystem::copy_options::recursive);
  }

  std::filesystem::path File(const std::string& name) const { return folder_.path() / name; }
  void SetWeights(const std::string& bytes) const { folder_.Write("model.safetensors", bytes); }
  std::string Weights() const { return ReadBytes(File("model.safetensors")); }

  void Edit(const std::function<void(Json* header, std::string* data)>& edit) const {
    const std::string bytes = Weights();
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof(length));
    Json header = Json::parse(bytes.substr(sizeof(length), length));
    std::string data = bytes.substr(sizeof(length) + length);
    edit(&header, &data);
    SetWeights(SafetensorsBytes(header.dump(), data));
  }
  void EditHeader(const std::function<void(Json*)>& edit) const {
    Edit([&](Json* header, std::string*) { edit(header); });
  }
  // The tensor with its bytes; what is left is well formed.
  void RemoveTensor(const std::string& name) const {
    Edit([&](Json* header, std::string* data) {
      const uint64_t begin = (*header)[name]["data_offsets"][0], end = (*header)[name]["data_offsets"][1];
      data->erase(begin, end - begin);
      header->erase(name);
      for (auto& [key, tensor] : header->items()) {
        if (key != "__metadata__" && tensor["data_offsets"][0] >= end) {
          tensor["data_offsets"][0] = tensor["data_offsets"][0].get<uint64_t>() - (end - begin);
          tensor["data_offsets"][1] = tensor["data_offsets"][1].get<uint64_t>() - (end - begin);
        }
      }
    });
  }

  // What `percept ocr` says of it.
  std::string Refusal() const {
    const Outcome outcome =
        RunProgram({"ocr", (TestDataDir() / "bad_media/plain.png").string(), "--model", folder_.path().string()});
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, StartsWith("percept: " + folder_.path().string()));
    return outcome.err;
  }

 private:
  TempFolder folder_;
};

constexpr const char* kTensor = "model.language_model.layers.0.self_attn.q_proj.weight";

TEST(Checkpoint, WithoutWeights) {
  const Checkpoint checkpoint;
  std::filesystem::remove(checkpoint.File("model.safetensors"));
  EXPECT_THAT(checkpoint.Refusal(), HasSubstr("safetensors"));
}

TEST(Checkpoint, WithoutConfiguration) {
  const Checkpoint checkpoint;
  std::filesystem::remove(checkpoint.File("config.json"));
  EXPECT_THAT(checkpoint.Refusal(), HasSubstr("config.json"));
}

TEST(Checkpoint, CutInHalf) {
  const Checkpoint checkpoint;
  const std::string weights = checkpoint.Weights();
  checkpoint.SetWeights(weights.substr(0, weights.size() / 2));
  EXPECT_THAT(checkpoint.Refusal(), HasSubstr("model.safetensors"));
}

TEST(Checkpoint, CutInsideItsHeader) {
  const Checkpoint checkpoint;
  checkpoint.SetWeights(checkpoint.Weights().substr(0, 100));
  EXPECT_THAT(checkpoint.Refusal(), HasSubstr("model.safetensors"));
}

TEST(Checkpoint, WithOverlappingTensors) {
  const Checkpoint checkpoint;
  checkpoint.EditHeader([](Json* header) { (*header)["model.another.weight"] = (*header)[kTensor]; });
  EXPECT_THAT(checkpoint.Refusal(), AllOf(HasSubstr("model.safetensors"), HasSubstr("overlap")));
}

TEST(Checkpoint, WithATensorMissing) {
  const Checkpoint checkpoint;
  checkpoint.RemoveTensor(kTensor);
  EXPECT_THAT(checkpoint.Refusal(), AllOf(HasSubstr("model.safetensors"), HasSubstr(kTensor)));
}

TEST(Checkpoint, WithATensorTooMany) {
  const Checkpoint checkpoint;
  checkpoint.Edit([](Json* header, std::string* data) {
    (*header)["model.language_model.surplus.weight"] = {
        {"dtype", "BF16"}, {"shape", {2}}, {"data_offsets", {data->size(), data->size() + 4}}};
    data->append(4, '\0');
  });
  EXPECT_THAT(checkpoint.Refusal(), HasSubstr("model.language_model.surplus.weight"));
}

TEST(Checkpoint, WithATensorOfAnotherShape) {
  const Checkpoint checkpoint;
  checkpoint.EditHeader([](Json* header) {
    Json& shape = (*header)[kTensor]["shape"];
    std::swap(shape[0], shape[1]);
    shape[0] = shape[0].get<int64_t>() / 2;
    shape[1] = shape[1].get<int64_t>() * 2;
  });
  EXPECT_THAT(checkpoint.Refusal(), HasSubstr(kTensor));
}

}  // namespace
}  // namespace percept::cli
