// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "kernels/core/error.h"
#include "kernels/weights/safetensors.h"
#include "tests/support/safetensors_bytes.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"

namespace percept {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

std::string Zeros(size_t count) { return std::string(count, '\0'); }

TEST(Safetensors, ReadsTensorsOfEveryKind) {
  SafetensorsWriter writer;
  writer.AddF32("matrix", {2, 3}, {1, 2, 3, 4, 5, 6});
  writer.AddBF16("scalar", {}, {-2.5f});
  writer.AddF32("nothing", {0, 7}, {});
  const TempFolder folder;
  const auto source = OpenSafetensors(folder.Write("a.safetensors", writer.Bytes()));

  EXPECT_THAT(source->Names(), ElementsAre("matrix", "nothing", "scalar"));
  const ConstTensor* matrix = source->Find("matrix");
  ASSERT_NE(matrix, nullptr);
  EXPECT_EQ(matrix->shape, Shape({2, 3}));
  EXPECT_EQ(matrix->f32()[4], 5.0f);
  const ConstTensor* scalar = source->Find("scalar");
  ASSERT_NE(scalar, nullptr);
  EXPECT_EQ(scalar->shape.rank(), 0);
  EXPECT_EQ(BF16ToFloat(*static_cast<const uint16_t*>(scalar->bytes)), -2.5f);
  EXPECT_EQ(source->Find("nothing")->size_bytes(), 0);
  EXPECT_EQ(source->Find("matrices"), nullptr);
  EXPECT_THAT(source->FileOf("matrix"), HasSubstr("a.safetensors"));
}

TEST(Safetensors, MetadataAndPaddingAreLegal) {
  const TempFolder folder;
  const auto source = OpenSafetensors(
      folder.Write("a.safetensors", SafetensorsBytes(R"({"__metadata__":{"format":"pt","x":"{}"},)"
                                                     R"("t":{"data_offsets":[0,4],"shape":[1],"dtype":"F32"}}   )",
                                                     Zeros(4))));
  EXPECT_THAT(source->Names(), ElementsAre("t"));
}

TEST(Safetensors, AFolderMeansItsModelFile) {
  SafetensorsWriter writer;
  writer.AddF32("t", {1}, {4.0f});
  const TempFolder folder;
  folder.Write("model.safetensors", writer.Bytes());
  EXPECT_EQ(OpenSafetensors(folder.path())->Find("t")->f32()[0], 4.0f);
}

TEST(Safetensors, TensorsUnalignedInTheFileAreCopied) {
  // The header's length is odd, so every address behind it is.
  std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  header.resize(header.size() + (header.size() % 2 == 0 ? 1 : 0), ' ');
  const float values[] = {1.5f, -3.0f};
  const TempFolder folder;
  const auto source = OpenSafetensors(
      folder.Write("a.safetensors",
                   SafetensorsBytes(header, std::string_view(reinterpret_cast<const char*>(values), sizeof(values)))));
  const ConstTensor* tensor = source->Find("a");
  ASSERT_NE(tensor, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor->bytes) % sizeof(float), 0u);
  EXPECT_EQ(tensor->f32()[0], 1.5f);
  EXPECT_EQ(tensor->f32()[1], -3.0f);
  EXPECT_EQ(source->Find("a"), tensor) << "the copy is made once";
  source->ReleasePages("a");
  EXPECT_EQ(tensor->f32()[1], -3.0f);
}

TEST(Safetensors, ReleasedPagesReadTheSameAgain) {
  std::vector<float> values(20000);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i);
  }
  SafetensorsWriter writer;
  writer.AddF32("before", {1}, {7.0f});
  writer.AddF32("big", {20000}, values);
  const TempFolder folder;
  const auto source = OpenSafetensors(folder.Write("a.safetensors", writer.Bytes()));
  const ConstTensor* tensor = source->Find("big");
  source->ReleasePages("big");
  source->ReleasePages("before");
  source->ReleasePages("unknown");
  EXPECT_TRUE(std::equal(values.begin(), values.end(), tensor->f32()));
}

TEST(Safetensors, TensorsNoOpReadsAreListedButNotFound) {
  SafetensorsWriter writer;
  writer.Add("scale", "F8_E4M3", {3}, Zeros(3));
  writer.Add("half", "F4", {4, 1}, Zeros(2));
  writer.Add("deep", "F32", {1, 1, 1, 1, 1}, Zeros(4));
  const TempFolder folder;
  const auto source = OpenSafetensors(folder.Write("a.safetensors", writer.Bytes()));
  ASSERT_EQ(source->entries().size(), 3u);
  EXPECT_EQ(source->entries()[0].dtype, "F8_E4M3");
  EXPECT_EQ(source->entries()[1].elements(), 4);
  EXPECT_EQ(source->entries()[1].size_bytes(), 2);
  EXPECT_THAT([&] { source->Find("scale"); },
              ThrowsMessage<CheckpointError>(HasSubstr("a.safetensors: tensor 'scale': dtype F8_E4M3 with 1 dim")));
  EXPECT_THAT([&] { source->Find("deep"); }, ThrowsMessage<CheckpointError>(HasSubstr("with 5 dimensions")));
}

TEST(Safetensors, TheSameTensorInTwoFilesIsAnError) {
  SafetensorsWriter writer;
  writer.AddF32("t", {1}, {4.0f});
  const TempFolder folder;
  const std::vector files = {folder.Write("one.safetensors", writer.Bytes()),
                             folder.Write("two.safetensors", writer.Bytes())};
  EXPECT_THAT([&] { SafetensorsSource source(files); },
              ThrowsMessage<CheckpointError>(
                  testing::AllOf(HasSubstr("two.safetensors: tensor 't' is also in"), HasSubstr("one.safetensors"))));
}

TEST(Safetensors, PathsThatAreNoCheckpoint) {
  const TempFolder folder;
  const auto open = [&](const std::string& name) { return [&, name] { OpenSafetensors(folder.path() / name); }; };
  EXPECT_THAT(open("absent.safetensors"),
              ThrowsMessage<CheckpointError>(HasSubstr("absent.safetensors: cannot be op")));
  folder.Write("empty.safetensors", "");
  EXPECT_THAT(open("empty.safetensors"), ThrowsMessage<CheckpointError>(HasSubstr("the file is empty")));
  EXPECT_THAT(open(""), ThrowsMessage<CheckpointError>(HasSubstr("the folder has neither model.safetensors nor ")));
  std::filesystem::create_directory(folder.path() / "model.safetensors");
  EXPECT_THAT(open(""), ThrowsMessage<CheckpointError>(HasSubstr("model.safetensors: is a folder, not a file")));
}

struct BrokenFile {
  std::string name;
  std::string bytes;
  std::string reason;
};

void PrintTo(const BrokenFile& file, std::ostream* out) { *out << file.name; }

class BrokenSafetensors : public testing::TestWithParam<BrokenFile> {};

TEST_P(BrokenSafetensors, IsRefusedByNameAndReason) {
  const TempFolder folder;
  const std::filesystem::path file = folder.Write("bad.safetensors", GetParam().bytes);
  EXPECT_THAT([&] { OpenSafetensors(file); }, ThrowsMessage<CheckpointError>(testing::AllOf(
                                                  HasSubstr(file.string() + ": "), HasSubstr(GetParam().reason))));
}

std::string One(const std::string& entry, size_t data_bytes) {
  return SafetensorsBytes("{\"t\":" + entry + "}", Zeros(data_bytes));
}

std::string Two(const std::string& a, const std::string& b, size_t data_bytes) {
  return SafetensorsBytes("{\"a\":{\"dtype\":\"F32\"," + a + "},\"b\":{\"dtype\":\"F32\"," + b + "}}",
                          Zeros(data_bytes));
}

std::string HeaderLength(uint64_t length, size_t more_bytes) {
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + std::string(more_bytes, '{');
}

std::string Half(const std::string& bytes) { return bytes.substr(0, bytes.size() / 2); }

std::string LargeTensor() { return One(R"({"dtype":"F32","shape":[1000],"data_offsets":[0,4000]})", 4000); }

const BrokenFile kBrokenFiles[] = {
    {"OneByte", "{", "it has 1 byte, fewer than the 8"},
    {"SevenBytes", "{\"a\":1}", "it has 7 bytes, fewer than the 8"},
    {"LengthBeyondFile", HeaderLength(1000, 20), "a header of 1000 bytes does not fit into 28 bytes"},
    {"LengthBeyondLimit", HeaderLength(100'000'001, 20), "over the limit of 100000000"},
    {"LengthHuge", HeaderLength(~uint64_t{0}, 20), "a header of 18446744073709551615 bytes is over the limit"},
    {"Text", "This is a text file, not a checkpoint.", "not a safetensors file"},
    {"HeaderEmpty", HeaderLength(0, 4), "does not begin with {"},
    {"HeaderIsAList", SafetensorsBytes("[1]", ""), "does not begin with {"},
    {"NotJson", SafetensorsBytes("{\"a\": nonsense}", ""), "not valid JSON at byte"},
    {"HeaderCutShort", SafetensorsBytes("{\"a\":{\"dtype\":\"F32\"", ""), "not valid JSON"},
    {"TwoObjects", SafetensorsBytes("{}{}", ""), "not valid JSON"},
    {"NotUtf8", SafetensorsBytes("{\"\xff\xfe\":{}}", ""), "not valid JSON"},
    {"DuplicateName",
     SafetensorsBytes(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                      R"("t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                      Zeros(2)),
     "tensor 't': named twice"},
    {"DuplicateKey", One(R"({"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]})", 1), "'dtype' given twice"},
    {"UnknownKey", One(R"({"dtype":"U8","shape":[1],"strides":[1],"data_offsets":[0,1]})", 1), "unknown key 'strides'"},
    {"NoDType", One(R"({"shape":[1],"data_offsets":[0,1]})", 1), "tensor 't': has no dtype"},
    {"NoShape", One(R"({"dtype":"U8","data_offsets":[0,1]})", 1), "tensor 't': has no shape"},
    {"NoOffsets", One(R"({"dtype":"U8","shape":[1]})", 1), "tensor 't': has no data_offsets"},
    {"EntryIsANumber", One("3", 0), "tensor 't': a number is not expected here"},
    {"DeeplyNested", SafetensorsBytes("{\"t\":" + std::string(1'000'000, '['), ""),
     "tensor 't': a list is not expected here"},
    {"DeeplyNestedShape", One(R"({"dtype":"U8","shape":[[[[1]]]],"data_offsets":[0,1]})", 1),
     "a list is not expected here"},
    {"NestedMetadata", SafetensorsBytes(R"({"__metadata__":{"a":{"b":"c"}}})", ""), "__metadata__ holds an object"},
    {"NegativeDimension", One(R"({"dtype":"U8","shape":[-1],"data_offsets":[0,1]})", 1), "a negative number"},
    {"FractionalDimension", One(R"({"dtype":"U8","shape":[1.5],"data_offsets":[0,1]})", 1), "no integer"},
    {"HugeDimension", One(R"({"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,1]})", 1), "is too large"},
    {"ShapeOverflows", One(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]})", 4),
     "tensor 't': shape [4294967296, 4294967296] overflows"},
    {"TooManyDimensions",
     One(
         "{\"dtype\":\"U8\",\"shape\":[1" +
             [] {
               std::string ones;
               for (int i = 0; i < 64; ++i) {
                 ones += ",1";
               }
               return ones;
             }() +
             "],\"data_offsets\":[0,1]}",
         1),
     "more than 64 numbers"},
    {"UnknownDType", One(R"({"dtype":"Q9","shape":[1],"data_offsets":[0,1]})", 1), "tensor 't': unknown dtype 'Q9'"},
    {"HalfAByte", One(R"({"dtype":"F4","shape":[3],"data_offsets":[0,1]})", 1), "no whole number of bytes"},
    {"OneOffset", One(R"({"dtype":"U8","shape":[1],"data_offsets":[0]})", 1), "data_offsets has 1 number, not 2"},
    {"ThreeOffsets", One(R"({"dtype":"U8","shape":[1],"data_offsets":[0,1,2]})", 1), "has 3 numbers, not 2"},
    {"OffsetsBackwards", One(R"({"dtype":"U8","shape":[1],"data_offsets":[1,0]})", 1), "run backwards"},
    {"WrongSize", One(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})", 4),
     "tensor 't': shape [2] of F32 takes 8 bytes, data_offsets [0, 4] hold 4"},
    {"Overlap", Two(R"("shape":[2],"data_offsets":[0,8])", R"("shape":[2],"data_offsets":[4,12])", 12),
     "tensor 'b': its data overlap those of 'a'"},
    {"Hole", Two(R"("shape":[1],"data_offsets":[0,4])", R"("shape":[1],"data_offsets":[8,12])", 12),
     "tensor 'b': bytes 4 to 8 before it are unused"},
    {"HoleAtTheStart", One(R"({"dtype":"U8","shape":[1],"data_offsets":[1,2]})", 2), "bytes 0 to 1 before it"},
    {"TrailingByte", One(R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})", 2), ": 1 byte follows the last tensor"},
    {"TrailingBytes", One(R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})", 6), "5 bytes follow the last tensor"},
    {"CutInHalf", Half(LargeTensor()),
     "tensor 't': data_offsets [0, 4000] reach past the 1966 bytes of data in the file, which is cut short"},
};

INSTANTIATE_TEST_SUITE_P(All, BrokenSafetensors, testing::ValuesIn(kBrokenFiles),
                         [](const auto& test) { return test.param.name; });

TEST(Safetensors, ReadsAReferenceCheckpoint) {
  PERCEPT_NEED_SHARED();
  const auto source = OpenSafetensors(SharedDir() / "goldens/variants/e2b");
  const ConstTensor* table = source->Find("model.vision_tower.patch_embedder.position_embedding_table");
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(table->shape, Shape({2, 512, 64}));
  EXPECT_EQ(table->dtype, DType::kBF16);
}

TEST(Safetensors, EveryCutOfAReferenceCheckpointIsRefused) {
  PERCEPT_NEED_SHARED();
  std::ifstream file(SharedDir() / "goldens/real/tables.safetensors", std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const TempFolder folder;
  for (const double part : {0.001, 0.01, 0.1, 0.5, 0.9, 0.9999}) {
    const auto cut = static_cast<size_t>(static_cast<double>(whole.size()) * part);
    const auto path = folder.Write("cut.safetensors", std::string_view(whole).substr(0, cut));
    EXPECT_THROW(OpenSafetensors(path), CheckpointError) << cut << " bytes";
  }
}

}  // namespace
}  // namespace percept
