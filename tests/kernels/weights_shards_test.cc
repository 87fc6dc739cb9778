// SPDX-License-Identifier: Apache-2.0
// Checkpoints in several files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/core/error.h"
#include "kernels/weights/safetensors.h"
#include "tests/support/safetensors_bytes.h"
#include "tests/support/temp_folder.h"

namespace percept {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Two shards, a and b in the first, c in the second, and the index that a test may spoil.
class ShardsTest : public testing::Test {
 protected:
  ShardsTest() {
    WriteShard("one.safetensors", {"a", "b"});
    WriteShard("two.safetensors", {"c"});
    WriteIndex(R"({"a": "one.safetensors", "b": "one.safetensors", "c": "two.safetensors"})");
  }

  void WriteShard(const std::string& file, const std::vector<std::string>& tensors) {
    SafetensorsWriter writer;
    for (const std::string& name : tensors) {
      writer.AddF32(name, {2}, {1, static_cast<float>(name[0])});
    }
    folder_.Write(file, writer.Bytes());
  }
  void WriteIndex(const std::string& weight_map) {
    folder_.Write("model.safetensors.index.json",
                  R"({"metadata": {"total_size": 24}, "weight_map": )" + weight_map + "}");
  }
  void ExpectRefused(const std::vector<std::string>& words) {
    try {
      OpenSafetensors(folder_.path());
      ADD_FAILURE() << "not refused: " << words.front();
    } catch (const CheckpointError& error) {
      for (const std::string& word : words) {
        EXPECT_THAT(error.what(), HasSubstr(word));
      }
    }
  }

  TempFolder folder_;
};

TEST_F(ShardsTest, AreOneSource) {
  const auto source = OpenSafetensors(folder_.path());
  EXPECT_THAT(source->Names(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(source->Find("c")->f32()[1], 'c');
  EXPECT_THAT(source->FileOf("c"), HasSubstr("two.safetensors"));
}

TEST_F(ShardsTest, ASingleFileGoesFirst) {
  WriteShard("model.safetensors", {"s"});
  EXPECT_THAT(OpenSafetensors(folder_.path())->Names(), ElementsAre("s"));
}

TEST_F(ShardsTest, AMissingShardIsNamed) {
  std::filesystem::remove(folder_.path() / "two.safetensors");
  ExpectRefused({"model.safetensors.index.json: the shard two.safetensors is not in the folder (2 are needed)"});
}

TEST_F(ShardsTest, ATensorInTwoShardsIsNamed) {
  WriteShard("two.safetensors", {"b", "c"});
  ExpectRefused({"two.safetensors: tensor 'b' is also in ", "one.safetensors"});
}

TEST_F(ShardsTest, ATensorThatItsShardLacksIsNamed) {
  WriteIndex(R"({"a": "one.safetensors", "b": "one.safetensors", "c": "two.safetensors", "d": "two.safetensors"})");
  ExpectRefused({"two.safetensors: the shard lacks tensor 'd', which model.safetensors.index.json says it has"});
  WriteIndex(R"({"a": "two.safetensors", "b": "one.safetensors", "c": "two.safetensors"})");
  ExpectRefused({"two.safetensors: the shard lacks tensor 'a'"});
}

TEST_F(ShardsTest, ADamagedShardIsNamed) {
  folder_.Write("two.safetensors", "short");
  ExpectRefused({"two.safetensors: not a safetensors file"});
}

TEST_F(ShardsTest, AnIndexThatIsNone) {
  folder_.Write("model.safetensors.index.json", "{");
  ExpectRefused({"model.safetensors.index.json: not JSON"});
  folder_.Write("model.safetensors.index.json", "{}");
  ExpectRefused({"weight_map is missing"});
  WriteIndex("{}");
  ExpectRefused({"weight_map names no tensors"});
  for (const char* name : {"7", "\"\"", "\"..\"", "\"../one.safetensors\"", "\"/etc/passwd\""}) {
    WriteIndex(R"({"a": )" + std::string(name) + "}");
    ExpectRefused({std::string("weight_map.a is ") + name + ", not the name of a file in the folder"});
  }
}

}  // namespace
}  // namespace percept
