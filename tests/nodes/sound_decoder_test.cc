// SPDX-License-Identifier: Apache-2.0
#include "nodes/source/sound_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "kernels/core/error.h"
#include "tests/nodes/sound_files.h"
#include "tests/support/golden_file.h"
#include "tests/support/other_user.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"

namespace percept::nodes {
namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::StartsWith;

constexpr int64_t kLimit = int64_t{30} * kSoundRate_hz;

std::filesystem::path GoldenSound(const std::string& name) { return SharedDir() / "goldens" / "audio" / name; }

std::string Reason(const std::filesystem::path& file, int64_t limit = kLimit) {
  try {
    DecodeSoundFile(file, limit);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

double LargestDifference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = std::abs(static_cast<double>(a.size()) - static_cast<double>(b.size()));
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  return largest;
}

// How much louder `wanted` is than what `got` differs by, in decibels. What one lacks at its end is silence.
double Likeness_db(const std::vector<float>& wanted, const std::vector<float>& got) {
  double signal = 0, noise = 1e-12;
  for (size_t i = 0; i < std::max(wanted.size(), got.size()); ++i) {
    const double a = i < wanted.size() ? wanted[i] : 0, b = i < got.size() ? got[i] : 0;
    signal += a * a;
    noise += (a - b) * (a - b);
  }
  return 10 * std::log10(signal / noise);
}

class SoundDecoderTest : public testing::Test {
 protected:
  AudioChunk Decode(const SoundFile& sound, int64_t limit = kLimit) const {
    WriteSound(sound, folder_.path() / "sound");
    return DecodeSoundFile(folder_.path() / "sound", limit);
  }
  AudioChunk DecodeWav(const std::vector<int16_t>& samples, int num_channels, int rate_hz) const {
    return DecodeSoundFile(folder_.Write("sound.wav", WavBytes(samples, num_channels, rate_hz)), kLimit);
  }

  const TempFolder folder_;
};

class GoldenSoundTest : public testing::TestWithParam<const char*> {};

TEST_P(GoldenSoundTest, SamplesOf16kHzMonoStayWhatTheyAre) {
  PERCEPT_NEED_SHARED();
  const std::string bytes = ReadText(GoldenSound(GetParam()));
  std::vector<int16_t> stored((bytes.size() - 44) / 2);
  std::memcpy(stored.data(), bytes.data() + 44, stored.size() * 2);
  std::vector<float> expected;
  for (const int16_t sample : stored) {
    expected.push_back(static_cast<float>(sample) / 32768);
  }
  const AudioChunk chunk = DecodeSoundFile(GoldenSound(GetParam()), kLimit);
  EXPECT_EQ(chunk.samples, expected);
  EXPECT_EQ(chunk.origin.codec, "pcm_s16le");
}

INSTANTIATE_TEST_SUITE_P(All, GoldenSoundTest,
                         testing::Values("sine.wav", "chirp.wav", "noise.wav", "impulse.wav", "silence.wav",
                                         "speech.wav"),
                         [](const auto& param_info) {
                           const std::string name = param_info.param;
                           return name.substr(0, name.find('.'));
                         });

// Two good resamplers differ by 2.6e-4 here (cases.json); this is the one that the reference was made with.
TEST_F(SoundDecoderTest, MixesAndResamplesAsTheReferenceDoes) {
  PERCEPT_NEED_SHARED();
  const AudioChunk chunk = DecodeSoundFile(GoldenSound("stereo44.wav"), kLimit);
  const std::vector<float> golden = GoldenFile(GoldenSound("golden.safetensors")).Floats("stereo44.mono16k");
  EXPECT_LE(LargestDifference(chunk.samples, golden), 1e-6);
  EXPECT_EQ(chunk.origin.rate_hz, 44100);
  EXPECT_EQ(chunk.origin.channels, "stereo");
  EXPECT_EQ(chunk.rate_hz, 16000);
  EXPECT_EQ(chunk.duration(), graph::Duration::Milliseconds(1500));
}

struct Form {
  const char* container;
  const char* codec;
  int rate_hz;
  double least_likeness_db;
};

void PrintTo(const Form& form, std::ostream* out) { *out << form.container << " of " << form.codec; }

class FormTest : public testing::TestWithParam<Form> {};

// As it would be from a WAV file: also in time, whatever the encoder put in front.
TEST_P(FormTest, GivesTheSameSound) {
  const Form& form = GetParam();
  const TempFolder folder;
  const std::vector<float> sweep = Sweep(form.rate_hz, 1.5);
  WriteSound({.container = form.container, .codec = form.codec, .rate_hz = form.rate_hz, .samples = sweep},
             folder.path() / "sound");
  const AudioChunk wanted =
      DecodeSoundFile(folder.Write("sound.wav", WavBytes(SixteenBits(sweep), 1, form.rate_hz)), kLimit);
  const AudioChunk chunk = DecodeSoundFile(folder.path() / "sound", kLimit);
  EXPECT_EQ(wanted.samples.size(), 24000U);
  EXPECT_NEAR(static_cast<double>(chunk.samples.size()), 24000, 1600);
  EXPECT_GE(Likeness_db(wanted.samples, chunk.samples), form.least_likeness_db);
  EXPECT_EQ(chunk.origin.num_gaps, 0);
  EXPECT_EQ(chunk.origin.num_overlaps, 0);
  EXPECT_EQ(chunk.origin.num_lost_packets, 0);
  EXPECT_EQ(chunk.origin.rate_hz, form.rate_hz);
}

constexpr double kEqual_db = 80;

INSTANTIATE_TEST_SUITE_P(
    All, FormTest,
    testing::Values(Form{"wav", "pcm_s16le", 48000, kEqual_db}, Form{"wav", "pcm_f32le", 44100, kEqual_db},
                    Form{"wav", "pcm_s32le", 8000, kEqual_db}, Form{"wav", "pcm_u8", 22050, 30},
                    Form{"aiff", "pcm_s16be", 44100, kEqual_db}, Form{"flac", "flac", 48000, kEqual_db},
                    Form{"matroska", "flac", 44100, kEqual_db}, Form{"mp4", "alac", 44100, kEqual_db},
                    Form{"mp4", "aac", 44100, 15}, Form{"adts", "aac", 48000, -5}, Form{"mp3", "libmp3lame", 44100, 20},
                    Form{"ogg", "libvorbis", 44100, 20}, Form{"ogg", "libopus", 48000, 15},
                    Form{"webm", "libopus", 48000, 15}, Form{"caf", "pcm_s16be", 32000, kEqual_db},
                    Form{"avi", "pcm_s16le", 12000, kEqual_db}, Form{"mpegts", "mp2", 48000, -5}),
    [](const auto& param_info) { return std::string(param_info.param.container) + "_" + param_info.param.codec; });

TEST_F(SoundDecoderTest, MixesByTheLayout) {
  EXPECT_THAT(DecodeWav({1000, 3000, -2000, -2000}, 2, 16000).samples,
              testing::ElementsAre(2000.F / 32768, -2000.F / 32768));
  // Nothing says where three channels stand: their average.
  const AudioChunk three = DecodeWav({3000, 6000, -3000}, 3, 16000);
  EXPECT_THAT(three.samples, testing::ElementsAre(testing::FloatNear(2000.F / 32768, 1e-7)));
  EXPECT_EQ(three.origin.channels, "3 channels");
  // A voice in all of 5.1: as loud as in one.
  const AudioChunk surround = Decode({.container = "flac",
                                      .codec = "flac",
                                      .rate_hz = 16000,
                                      .layout = "5.1",
                                      .samples = std::vector<float>(2000, 0.25F)});
  EXPECT_EQ(surround.origin.channels, "5.1");
  EXPECT_EQ(surround.samples.size(), 2000U);
  EXPECT_THAT(surround.samples, Each(testing::FloatNear(0.25, 1e-6)));
}

TEST_F(SoundDecoderTest, BeginsWhereItsTimesBegin) {
  const SoundFile sound{.container = "matroska",
                        .codec = "flac",
                        .rate_hz = 16000,
                        .samples = Sweep(16000, 1),
                        .time_of = [](int64_t time) { return time + 12000; }};
  const AudioChunk chunk = Decode(sound);
  EXPECT_EQ(chunk.origin.start, graph::Duration::Milliseconds(750));
  EXPECT_EQ(chunk.samples.size(), 16000U);
  EXPECT_EQ(chunk.origin.num_gaps, 0);
}

TEST_F(SoundDecoderTest, FillsGapsWithSilence) {
  const std::vector<float> sweep = Sweep(16000, 1);
  const auto late = [](int64_t time) { return time + (time >= 8192 ? 4800 : 0); };
  const AudioChunk chunk =
      Decode({.container = "matroska", .codec = "pcm_s16le", .rate_hz = 16000, .samples = sweep, .time_of = late});
  ASSERT_EQ(chunk.samples.size(), 16000U + 4800);
  EXPECT_EQ(chunk.origin.num_gaps, 1);
  EXPECT_EQ(chunk.origin.gap_time, graph::Duration::Milliseconds(300));
  EXPECT_THAT(std::vector(chunk.samples.begin() + 8192, chunk.samples.begin() + 8192 + 4800), Each(0.F));
  EXPECT_NEAR(chunk.samples[8191], sweep[8191], 2e-5);
  EXPECT_NEAR(chunk.samples[8192 + 4800], sweep[8192], 2e-5);
  EXPECT_NEAR(chunk.samples.back(), sweep.back(), 2e-5);
}

TEST_F(SoundDecoderTest, GoesOnWhereTimesStepBack) {
  WriteSound({.container = "mpegts", .codec = "mp2", .rate_hz = 16000, .samples = Sweep(16000, 1)},
             folder_.path() / "once");
  const std::string once = ReadText(folder_.path() / "once");
  const AudioChunk chunk = DecodeSoundFile(folder_.Write("twice", once + once), kLimit);
  EXPECT_EQ(chunk.origin.num_overlaps, 1);
  EXPECT_EQ(chunk.origin.num_gaps, 0);
  EXPECT_EQ(chunk.samples.size(), 2 * DecodeSoundFile(folder_.path() / "once", kLimit).samples.size());
}

TEST_F(SoundDecoderTest, CountsPacketsThatCannotBeDecodedAndGoesOn) {
  const std::vector<float> sweep = Sweep(16000, 1.5);
  const AudioChunk chunk = Decode(
      {.container = "matroska", .codec = "flac", .rate_hz = 16000, .samples = sweep, .is_garbage = [](int packet) {
         return packet == 2;
       }});
  EXPECT_EQ(chunk.origin.num_lost_packets, 1);
  EXPECT_EQ(chunk.origin.num_gaps, 1);
  ASSERT_EQ(chunk.samples.size(), 24000U);
  EXPECT_NEAR(chunk.samples.back(), sweep.back(), 2e-5);
  EXPECT_NEAR(chunk.samples[1000], sweep[1000], 2e-5);
}

TEST_F(SoundDecoderTest, TakesAsMuchAsTheLimitAndNoMore) {
  const std::filesystem::path wav = folder_.Write("a.wav", WavBytes(SixteenBits(Sweep(44100, 1)), 1, 44100));
  EXPECT_EQ(DecodeSoundFile(wav, 16000).samples.size(), 16000U);
  EXPECT_EQ(Reason(wav, 12000), "1 s of sound, more than the limit of 0.75 s");
  // Here nothing states a length.
  WriteSound({.container = "adts", .codec = "aac", .rate_hz = 44100, .samples = Sweep(44100, 3)}, folder_.path() / "b");
  EXPECT_THAT(Reason(folder_.path() / "b", 32000),
              AllOf(StartsWith("3."), HasSubstr(" s of sound, more than the limit of 2 s")));
}

TEST_F(SoundDecoderTest, ATimeFarAheadIsALengthBeyondTheLimit) {
  const SoundFile sound{.container = "matroska",
                        .codec = "pcm_s16le",
                        .rate_hz = 16000,
                        .samples = Sweep(16000, 1),
                        .time_of = [](int64_t time) { return time + (time >= 8192 ? int64_t{16000} * 86400 : 0); }};
  WriteSound(sound, folder_.path() / "sound");
  EXPECT_THAT(Reason(folder_.path() / "sound"), StartsWith("86401 s of sound, more than the limit of 30 s"));
}

TEST_F(SoundDecoderTest, ALengthThatAPipeCouldNotKnowIsNone) {
  for (const uint32_t stated : {0xFFFFFFFFU, 0x7FFFFFFFU, 0x7FFFF000U, 0U}) {
    const auto wav = folder_.Write("a.wav", WavBytes(SixteenBits(Sweep(16000, 1)), 1, 16000, stated));
    EXPECT_EQ(DecodeSoundFile(wav, kLimit).samples.size(), 16000U) << stated;
  }
}

TEST_F(SoundDecoderTest, SaysWhyAFileCannotBeUsed) {
  EXPECT_EQ(Reason(folder_.path() / "nowhere.wav"), "no such file");
  EXPECT_EQ(Reason(folder_.path()), "a directory, not sound");
  EXPECT_EQ(Reason("/dev/null"), "not a regular file; give it on standard input, named -");
  EXPECT_EQ(Reason(folder_.Write("empty.wav", "")), "empty");
  EXPECT_THAT(Reason(folder_.Write("text.wav", std::string(5000, 'x'))),
              StartsWith("no sound that can be read: Invalid data found"));
  EXPECT_EQ(Reason(folder_.Write("none.wav", WavBytes({}, 1, 16000))), "no samples in its sound");
  const std::string picture = ReadText(TestDataDir() / "bad_media" / "plain.png");
  EXPECT_EQ(Reason(folder_.Write("picture.wav", picture)), "no sound in it: it holds video (png)");
  const auto closed = folder_.Write("closed.wav", WavBytes({1, 2, 3}, 1, 16000));
  std::filesystem::permissions(closed, std::filesystem::perms::none);
  std::filesystem::permissions(folder_.path(), std::filesystem::perms::all);
  const OtherUser other;
  EXPECT_EQ(Reason(closed), "cannot be opened: Permission denied");
}

TEST_F(SoundDecoderTest, ACutFileIsNoSound) {
  const std::string wav = WavBytes(SixteenBits(Sweep(16000, 2)), 1, 16000);
  EXPECT_EQ(Reason(folder_.Write("cut.wav", wav.substr(0, wav.size() - 48000))),
            "truncated: it ends after 0.5 s, 48000 bytes before the end that it states");
  for (const char* container : {"mp4", "flac", "matroska", "mp3"}) {
    const std::string codec = std::string(container) == "mp3" ? "libmp3lame" : "flac";
    WriteSound({.container = container, .codec = codec.c_str(), .rate_hz = 44100, .samples = Sweep(44100, 3)},
               folder_.path() / "whole");
    ASSERT_EQ(Reason(folder_.path() / "whole"), "") << container;
    const std::string whole = ReadText(folder_.path() / "whole");
    const std::string reason = Reason(folder_.Write("cut", whole.substr(0, whole.size() / 2)));
    EXPECT_THAT(reason, testing::AnyOf(StartsWith("truncated: it ends after 1."), HasSubstr("moov atom not found")))
        << container;
  }
}

// Inside a page, in a page's header, and between two pages.
TEST_F(SoundDecoderTest, ACutOggFileIsNoSound) {
  WriteSound({.container = "ogg", .codec = "libopus", .rate_hz = 48000, .samples = Sweep(48000, 4)},
             folder_.path() / "whole");
  ASSERT_EQ(Reason(folder_.path() / "whole"), "");
  const std::string whole = ReadText(folder_.path() / "whole");
  const size_t last_page = whole.rfind("OggS");
  ASSERT_GT(last_page, whole.size() / 2);
  for (const size_t size : {whole.size() / 2, whole.size() - 1, last_page + 20, last_page + 2, last_page}) {
    EXPECT_THAT(
        Reason(folder_.Write("cut", whole.substr(0, size))),
        AllOf(StartsWith("truncated: it ends after "), testing::EndsWith(" s, before the page that ends its stream")))
        << size << " of " << whole.size() << " bytes";
  }
  EXPECT_EQ(Reason(folder_.Write("tagged", whole + "TAG and more")), "") << "what comes behind is not looked at";
}

TEST_F(SoundDecoderTest, BytesAreReadAsAFileIs) {
  for (const char* container : {"mp4", "ogg", "matroska"}) {
    WriteSound({.container = container, .codec = "flac", .rate_hz = 44100, .samples = Sweep(44100, 8)},
               folder_.path() / "file");
    const std::string bytes = ReadText(folder_.path() / "file");
    ASSERT_GT(bytes.size(), 100'000U) << "so that FFmpeg has to seek";
    const AudioChunk from_memory = DecodeSoundBytes(std::as_bytes(std::span(bytes)), kLimit);
    EXPECT_EQ(from_memory.samples, DecodeSoundFile(folder_.path() / "file", kLimit).samples) << container;
  }
  EXPECT_THROW(DecodeSoundBytes({}, kLimit), InputError);
}

TEST_F(SoundDecoderTest, AllOfItBeingDamagedIsSaid) {
  WriteSound({.container = "matroska",
              .codec = "flac",
              .rate_hz = 16000,
              .samples = Sweep(16000, 1),
              .is_garbage = [](int) { return true; }},
             folder_.path() / "sound");
  EXPECT_THAT(Reason(folder_.path() / "sound"), StartsWith("no samples in its sound can be decoded"));
}

TEST_F(SoundDecoderTest, APlaylistOpensNothing) {
  folder_.Write("piece.wav", WavBytes(SixteenBits(Sweep(16000, 1)), 1, 16000));
  const auto list = folder_.Write("list", "ffconcat version 1.0\nfile piece.wav\n");
  const std::filesystem::path place = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path());
  EXPECT_THAT(Reason(list), StartsWith("no sound that can be read: "));
  std::filesystem::current_path(place);
}

TEST_F(SoundDecoderTest, AnyNameWillDo) {
  const std::string wav = WavBytes(SixteenBits(Sweep(16000, 1)), 1, 16000);
  for (const char* name : {"latin \xe9.wav", "line\nend", "pipe:0", "%03d.png", "file:a", "-"}) {
    EXPECT_EQ(DecodeSoundFile(folder_.Write(name, wav), kLimit).samples.size(), 16000U) << name;
  }
}

TEST_F(SoundDecoderTest, StopsWhenItIsTold) {
  const auto wav = folder_.Write("a.wav", WavBytes(SixteenBits(Sweep(16000, 1)), 1, 16000));
  EXPECT_THAT([&] { DecodeSoundFile(wav, kLimit, [] { return true; }); },
              testing::ThrowsMessage<InputError>("cancelled"));
}

}  // namespace
}  // namespace percept::nodes
