// SPDX-License-Identifier: Apache-2.0
#include "nodes/source/picture_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <ostream>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "kernels/core/error.h"
#include "nodes/source/picture_remarks.h"
#include "nodes/source/remarks.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"

namespace percept::nodes {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr int64_t kPixelLimit = 100'000'000;

std::filesystem::path BadMedia(const std::string& name) { return TestDataDir() / "bad_media" / name; }

std::string ReadBytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string Reason(const std::filesystem::path& file, int64_t pixel_limit = kPixelLimit) {
  try {
    DecodePictureFile(file, pixel_limit);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

uint32_t Crc32(std::span<const uint8_t> bytes) {
  uint32_t crc = ~0U;
  for (const uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
    }
  }
  return ~crc;
}

uint32_t Crc32(const RgbView& picture) {
  return Crc32(std::span<const uint8_t>(picture.pixels, static_cast<size_t>(picture.width * picture.height * 3)));
}

int LargestDifference(const RgbView& a, const RgbView& b) {
  int largest = 0;
  for (int64_t i = 0; i < a.width * a.height * 3; ++i) {
    largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  }
  return largest;
}

struct GoldenPicture {
  std::string id, file, decoded, crc;
  int64_t width, height;
  bool is_jpeg() const { return file.ends_with(".jpg"); }
};

void PrintTo(const GoldenPicture& picture, std::ostream* out) { *out << picture.id; }

std::vector<GoldenPicture> GoldenPictures() {
  std::vector<GoldenPicture> pictures;
  const auto cases = nlohmann::json::parse(ReadBytes(TestDataDir() / "images" / "cases.json"));
  for (const auto& picture : cases["images"]) {
    const std::string id = picture["id"];
    if (id.ends_with("_on_white")) {
      continue;  // what the reference makes of a picture that keeps its alpha; a file is read without
    }
    // A file with a note is one whose reference picture is not what this program promises: 16-bit grey.
    pictures.push_back({id, picture["file"], picture.value("decoded_png", ""),
                        picture.contains("decoded_note") ? "" : picture["decoded_rgb_crc32"].get<std::string>(),
                        picture["decoded_w_h"][0], picture["decoded_w_h"][1]});
  }
  return pictures;
}

class GoldenPictureTest : public testing::TestWithParam<GoldenPicture> {};

TEST_P(GoldenPictureTest, IsDecodedAsTheReferenceDoes) {
  const GoldenPicture& golden = GetParam();
  const DecodedPicture picture = DecodePictureFile(TestDataDir() / "images" / golden.file, kPixelLimit);
  const RgbView pixels = picture.pixels.view();
  ASSERT_EQ(pixels.size(), (ImageSize{golden.width, golden.height}));
  if (golden.is_jpeg()) {
    const DecodedPicture reference = DecodePictureFile(TestDataDir() / "images" / golden.decoded, kPixelLimit);
    EXPECT_LE(LargestDifference(pixels, reference.pixels.view()), 1);
  } else if (!golden.crc.empty()) {
    EXPECT_EQ(Crc32(pixels), std::stoul(golden.crc, nullptr, 16));
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenPictureTest, testing::ValuesIn(GoldenPictures()),
                         [](const auto& param_info) { return param_info.param.id; });

TEST(PictureDecoder, Keeps8HighBitsOf16BitGrey) {
  const DecodedPicture picture = DecodePictureFile(TestDataDir() / "images/source/grey16_100x60.png", kPixelLimit);
  const RgbView pixels = picture.pixels.view();
  // Every row is a ramp from 0 to 65535.
  for (int64_t y = 0; y < pixels.height; ++y) {
    for (int64_t x = 0; x < pixels.width; ++x) {
      ASSERT_EQ(pixels.row(y)[3 * x], (65535 * x / (pixels.width - 1)) >> 8) << x << ", " << y;
    }
  }
  EXPECT_THAT(picture.repairs, testing::ElementsAre("16-bit samples reduced to 8 bits"));
}

TEST(PictureDecoder, NamesWhatItChanged) {
  EXPECT_THAT(DecodePictureFile(BadMedia("exif_rotated.jpg"), kPixelLimit).repairs,
              testing::ElementsAre("turned upright (EXIF orientation 6)"));
  EXPECT_THAT(DecodePictureFile(BadMedia("cmyk.jpg"), kPixelLimit).repairs,
              testing::ElementsAre("CMYK converted to RGB"));
  EXPECT_THAT(DecodePictureFile(BadMedia("rgba.png"), kPixelLimit).repairs,
              testing::ElementsAre("transparency dropped"));
  EXPECT_THAT(DecodePictureFile(BadMedia("plain.png"), kPixelLimit).repairs, testing::IsEmpty());
}

TEST(PictureDecoder, ReadsBytesAsItReadsTheirFile) {
  const std::string bytes = ReadBytes(BadMedia("plain.jpg"));
  const DecodedPicture from_bytes = DecodePictureBytes(std::as_bytes(std::span(bytes)), kPixelLimit);
  const DecodedPicture from_file = DecodePictureFile(BadMedia("plain.jpg"), kPixelLimit);
  EXPECT_EQ(Crc32(from_bytes.pixels.view()), Crc32(from_file.pixels.view()));
}

struct TiffEntry {
  uint16_t tag, type;
  uint32_t count, value;
};

// A 3x2 picture whose pixel (x, y) has red 10 * x + y, in a TIFF file with an orientation tag, the entries of `more`
// and `num_pages` directories for the same pixels.
std::string Tiff(uint16_t orientation, const std::vector<TiffEntry>& more = {}, int num_pages = 1) {
  constexpr uint32_t kWidth = 3, kHeight = 2, kPixelsAt = 8, kNumPixelBytes = kWidth * kHeight * 3;
  constexpr uint32_t kBitsAt = kPixelsAt + kNumPixelBytes, kDirectoryAt = kBitsAt + 6;
  std::vector<TiffEntry> entries = {
      {256, 3, 1, kWidth},  {257, 3, 1, kHeight},       {258, 3, 3, kBitsAt},     {259, 3, 1, 1},
      {262, 3, 1, 2},       {273, 4, 1, kPixelsAt},     {274, 3, 1, orientation}, {277, 3, 1, 3},
      {278, 3, 1, kHeight}, {279, 4, 1, kNumPixelBytes}};
  entries.insert(entries.end(), more.begin(), more.end());
  std::string tiff("II*\0", 4);
  const auto append = [&tiff](const auto value) { tiff.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
  append(kDirectoryAt);
  for (uint32_t y = 0; y < kHeight; ++y) {
    for (uint32_t x = 0; x < kWidth; ++x) {
      append(static_cast<uint8_t>(10 * x + y));
      append(uint16_t{0});
    }
  }
  for (int sample = 0; sample < 3; ++sample) {
    append(uint16_t{8});
  }
  for (int page = 1; page <= num_pages; ++page) {
    append(static_cast<uint16_t>(entries.size()));
    for (const TiffEntry& entry : entries) {
      append(entry.tag);
      append(entry.type);
      append(entry.count);
      append(entry.value);
    }
    append(page == num_pages ? 0U : static_cast<uint32_t>(tiff.size() + 4));
  }
  return tiff;
}

std::vector<int> RedRows(const DecodedPicture& picture) {
  std::vector<int> red;
  const RgbView pixels = picture.pixels.view();
  for (int64_t i = 0; i < pixels.width * pixels.height; ++i) {
    red.push_back(pixels.pixels[3 * i]);
  }
  return red;
}

TEST(PictureDecoder, TurnsEveryOrientationUpright) {
  // EXIF 2.3, tag 0x0112: where the stored row 0 and column 0 are to be seen.
  const std::array<std::vector<int>, 8> upright = {{{0, 10, 20, 1, 11, 21},
                                                    {20, 10, 0, 21, 11, 1},
                                                    {21, 11, 1, 20, 10, 0},
                                                    {1, 11, 21, 0, 10, 20},
                                                    {0, 1, 10, 11, 20, 21},
                                                    {1, 0, 11, 10, 21, 20},
                                                    {21, 20, 11, 10, 1, 0},
                                                    {20, 21, 10, 11, 0, 1}}};
  const TempFolder folder;
  for (uint16_t orientation = 1; orientation <= 8; ++orientation) {
    const DecodedPicture picture = DecodePictureFile(folder.Write("turned.tif", Tiff(orientation)), kPixelLimit);
    const ImageSize size = orientation >= 5 ? ImageSize{2, 3} : ImageSize{3, 2};
    EXPECT_EQ(picture.pixels.size(), size) << "orientation " << orientation;
    EXPECT_EQ(RedRows(picture), upright[orientation - 1U]) << "orientation " << orientation;
  }
}

TEST(PictureDecoder, SaysWhatIsWrongWithAFile) {
  EXPECT_EQ(Reason("no/such/picture.png"), "no such file");
  EXPECT_EQ(Reason(TestDataDir()), "a directory, not a picture");
  EXPECT_EQ(Reason("/dev/null"), "not a regular file; give it on standard input, named -");
  EXPECT_EQ(Reason(BadMedia("empty.png")), "empty");
  EXPECT_EQ(Reason(BadMedia("text.png")), "not a JPEG, PNG, WebP, TIFF or GIF picture");
}

TEST(PictureDecoder, NamesTruncation) {
  for (const char* name : {"cut_after_128.jpg", "cut_at_half.jpg", "cut_128_before_end.jpg"}) {
    EXPECT_THAT(Reason(BadMedia(name)), StartsWith("truncated: ")) << name;
  }
  const TempFolder folder;
  const std::string png = ReadBytes(BadMedia("plain.png"));
  EXPECT_THAT(Reason(folder.Write("cut.png", png.substr(0, png.size() / 2))), StartsWith("truncated: "));
}

TEST(PictureDecoder, NamesDamage) {
  const TempFolder folder;
  std::string png = ReadBytes(BadMedia("plain.png"));
  png[png.size() / 2] ^= 0x55;
  EXPECT_THAT(Reason(folder.Write("flipped.png", png)), StartsWith("damaged: "));
}

// The plain PNG picture with a chunk behind its header, whose checksum is xored with `crc_error`.
std::string PngWithChunk(std::string chunk, uint32_t crc_error = 0) {
  const auto big_endian = [](size_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes += static_cast<char>(value >> shift & 0xFF);
    }
    return bytes;
  };
  const uint32_t crc = Crc32(std::span(reinterpret_cast<const uint8_t*>(chunk.data()), chunk.size())) ^ crc_error;
  constexpr size_t kHeaderEnd = 33;
  return ReadBytes(BadMedia("plain.png")).insert(kHeaderEnd, big_endian(chunk.size() - 4) + chunk + big_endian(crc));
}

// The plain JPEG picture with junk before its first quantisation table.
std::string JpegWithJunk() {
  std::string jpeg = ReadBytes(BadMedia("plain.jpg"));
  return jpeg.insert(jpeg.find("\xFF\xDB"), "junk");
}

std::vector<std::string> Repairs(const std::string& bytes) {
  return DecodePictureBytes(std::as_bytes(std::span(bytes)), kPixelLimit).repairs;
}

std::string ReasonOfBytes(const std::string& bytes) {
  try {
    DecodePictureBytes(std::as_bytes(std::span(bytes)), kPixelLimit);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(PictureDecoder, IgnoresWarningsAboutPngMetadata) {
  using testing::ElementsAre;
  EXPECT_THAT(Repairs(PngWithChunk(std::string("gAMA\0\0", 6))), ElementsAre("ignored: gAMA: invalid"));
  EXPECT_THAT(Repairs(PngWithChunk(std::string("tIME\0\0", 6))), ElementsAre("ignored: tIME: invalid"));
  EXPECT_THAT(Repairs(PngWithChunk("iTXtTitle")), ElementsAre("ignored: iTXt: truncated"));
  EXPECT_THAT(Repairs(PngWithChunk(std::string("tEXtTitle\0text", 14), 1)), ElementsAre("ignored: tEXt: CRC error"));
  EXPECT_THAT(Repairs(PngWithChunk("sRGB\x09")), ElementsAre(StartsWith("ignored: sRGB: ")));
  EXPECT_THAT(Repairs(PngWithChunk(std::string("iCCPname\0\0junk", 14))), ElementsAre(StartsWith("ignored: iCCP: ")));
  EXPECT_THAT(Repairs(PngWithChunk(std::string("zTXtTitle\0\0junk", 15))), ElementsAre(StartsWith("ignored: zTXt: ")));
}

TEST(PictureDecoder, IgnoresWarningsAboutTiffAndJpegMetadata) {
  EXPECT_THAT(Repairs(Tiff(1, {{65001, 4, 1, 5}, {65002, 4, 1, 5}})),
              testing::ElementsAre("ignored: Unknown field with tag 65001 (0xfde9) encountered",
                                   "ignored: Unknown field with tag 65002 (0xfdea) encountered"));
  EXPECT_THAT(Repairs(JpegWithJunk()),
              testing::ElementsAre("ignored: VipsJpeg: Corrupt JPEG data: 4 extraneous bytes before marker 0xdb"));
  std::string jpeg = ReadBytes(BadMedia("plain.jpg"));
  jpeg[jpeg.find("JFIF") + 5] = 7;
  EXPECT_THAT(Repairs(jpeg), testing::ElementsAre("ignored: VipsJpeg: Warning: unknown JFIF revision number 7.01"));
}

TEST(PictureDecoder, RefusesDamageBesideAHarmlessWarning) {
  std::string png = PngWithChunk("iTXtTitle");
  png[png.find("IDAT") + 200] ^= 0x55;
  EXPECT_THAT(ReasonOfBytes(png),
              testing::AllOf(StartsWith("damaged: "), HasSubstr("IDAT"), testing::Not(HasSubstr("iTXt"))));
  std::string tiff = Tiff(1, {{65001, 4, 1, 5}});
  tiff[tiff.find("\x17\x01\x04") + 8] = 4;  // StripByteCounts
  EXPECT_EQ(ReasonOfBytes(tiff), "damaged: Bogus \"StripByteCounts\" field, ignoring and calculating from imagelength");
  std::string jpeg = JpegWithJunk();
  EXPECT_THAT(ReasonOfBytes(jpeg.substr(0, jpeg.size() / 2)), StartsWith("truncated: "));
  // libjpeg keeps the second warning to itself.
  const size_t middle = (jpeg.find("\xFF\xDA") + jpeg.size()) / 2;
  jpeg.replace(middle, 8, "\xFF\xD9\xFF\xD9\xFF\xD9\xFF\xD9");
  EXPECT_THAT(ReasonOfBytes(jpeg), HasSubstr("read gave 2 warnings"));
}

TEST(PictureDecoder, SaysThatFurtherPagesAreNotRead) {
  EXPECT_THAT(Repairs(Tiff(1, {}, 3)), testing::ElementsAre("page 1 of 3 read"));
}

TEST(PictureDecoder, NamesTruncationThatTheHeaderTells) {
  const std::string tiff = Tiff(1);
  EXPECT_THAT(ReasonOfBytes(tiff.substr(0, 30)), StartsWith("truncated: "));
  EXPECT_EQ(ReasonOfBytes(tiff.substr(0, 6)), "truncated: it ends in its header");
  const std::string webp("RIFF\x64\0\0\0WEBPVP8L\x58\0\0\0\x2F\x02\x40\0\0", 25);
  EXPECT_THAT(ReasonOfBytes(webp), StartsWith("truncated: "));
}

TEST(Remarks, KeepsPrintableLinesOnce) {
  Remarks remarks;
  remarks.Add("one\ttab\n\ntwo\x1B[2J\none\ttab\n");
  EXPECT_THAT(remarks.lines(), testing::ElementsAre("one tab", "two [2J"));
  EXPECT_EQ(Join(remarks.lines()), "one tab; two [2J");
  remarks.Add(std::string(1000, 'x'));
  EXPECT_EQ(Join(remarks.lines()).size(), 300);
}

TEST(PictureRemarks, TakesOnlyKnownWarningsForHarmless) {
  EXPECT_TRUE(IsHarmless("VipsJpeg: Corrupt JPEG data: 2 extraneous bytes before marker 0xe1"));
  EXPECT_FALSE(IsHarmless("VipsJpeg: Corrupt JPEG data: 2 extraneous bytes before marker 0xd9"));
  EXPECT_FALSE(IsHarmless("VipsJpeg: Corrupt JPEG data: 2 extraneous bytes before marker 0xda"));
  EXPECT_FALSE(IsHarmless("VipsJpeg: Corrupt JPEG data: bad Huffman code"));
  EXPECT_FALSE(IsHarmless("IDAT: CRC error"));
}

TEST(PictureDecoder, ComparesTheHeaderWithTheLimitFirst) {
  EXPECT_EQ(Reason(BadMedia("huge_header.png")), "64000x64000 pixels, more than the limit of 100000000");
  EXPECT_EQ(Reason(BadMedia("plain.png"), 240 * 168 - 1), "240x168 pixels, more than the limit of 40319");
  EXPECT_EQ(Reason(BadMedia("plain.png"), 240 * 168), "");
}

TEST(PictureDecoder, ReadsNoUntrustedKind) {
  const TempFolder folder;
  EXPECT_THAT(Reason(folder.Write("drawing.svg", "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")),
              HasSubstr("not a JPEG"));
  EXPECT_THAT(Reason(folder.Write("grey.pgm", "P5 2 2 255\nabcd")), HasSubstr("not a JPEG"));
}

TEST(PictureDecoder, GivesEachThreadItsOwnReason) {
  const std::array<std::string, 2> names = {"cut_at_half.jpg", "text.png"};
  const std::array<std::string, 2> reasons = {Reason(BadMedia(names[0])), Reason(BadMedia(names[1]))};
  std::array<int, 2> num_wrong = {0, 0};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < names.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int repetition = 0; repetition < 50; ++repetition) {
        num_wrong[i] += Reason(BadMedia(names[i])) == reasons[i] ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_THAT(num_wrong, testing::Each(0));
}

}  // namespace
}  // namespace percept::nodes
