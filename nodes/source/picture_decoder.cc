// SPDX-License-Identifier: Apache-2.0
#include "nodes/source/picture_decoder.h"

#include <vips/vips.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string_view>
#include <utility>

#include "kernels/core/error.h"
#include "nodes/source/local_file.h"
#include "nodes/source/picture_remarks.h"
#include "nodes/source/remarks.h"

namespace percept::nodes {
namespace {

constexpr std::array kTrustedLoaders = {"VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadWebp",
                                        "VipsForeignLoadTiff", "VipsForeignLoadNsgif"};
constexpr const char* kKnownKinds = "JPEG, PNG, WebP, TIFF or GIF";
constexpr int kStripRows = 16;

struct Unref {
  void operator()(void* object) const { g_object_unref(object); }
};
template <typename T>
using VipsPtr = std::unique_ptr<T, Unref>;

// libvips keeps its last errors in one buffer of the process. Decodes share the lock; one that failed runs again alone,
// so that the text it reports is its own.
std::shared_mutex& ErrorBufferLock() {
  static std::shared_mutex lock;
  return lock;
}

// The warnings of the decode that runs in this thread, where libvips' log callback can reach them.
thread_local Remarks* thread_warnings = nullptr;

void KeepWarning(const gchar* /*domain*/, GLogLevelFlags /*level*/, const gchar* message, gpointer /*unused*/) {
  if (thread_warnings != nullptr && message != nullptr && std::strncmp(message, "error in tile", 13) != 0) {
    thread_warnings->Add(message);
  }
}

class WarningScope {
 public:
  WarningScope() { thread_warnings = &warnings_; }
  ~WarningScope() { thread_warnings = nullptr; }
  WarningScope(const WarningScope&) = delete;
  WarningScope& operator=(const WarningScope&) = delete;
  const std::vector<std::string>& lines() const { return warnings_.lines(); }

 private:
  Remarks warnings_;
};

void StartVips() {
  static const bool started = [] {
    if (VIPS_INIT("percept") != 0) {
      return false;
    }
    g_log_set_handler("VIPS", static_cast<GLogLevelFlags>(G_LOG_LEVEL_MASK), KeepWarning, nullptr);
    vips_block_untrusted_set(TRUE);
    vips_operation_block_set("VipsForeignLoad", TRUE);
    for (const char* loader : kTrustedLoaders) {
      vips_operation_block_set(loader, FALSE);
    }
    vips_cache_set_max(0);
    vips_concurrency_set(1);
    return true;
  }();
  if (!started) {
    throw Error("libvips could not be initialised");
  }
}

Remarks VipsErrorRemarks() {
  gchar* raw = vips_error_buffer_copy();
  Remarks errors;
  errors.Add(raw == nullptr ? "" : raw);
  g_free(raw);
  return errors;
}

std::string TakeVipsError() { return Join(VipsErrorRemarks().lines()); }

// Whether the file ends before the end that a WebP header or before the directory that a TIFF header states.
bool IsCutShort(VipsSource* source) {
  unsigned char* head = nullptr;
  const int64_t num_bytes = vips_source_sniff_at_most(source, &head, 12);
  const int64_t length = vips_source_length(source);
  if (num_bytes < 4 || length < 0) {
    return false;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(head), static_cast<size_t>(num_bytes));
  const bool is_intel = bytes.starts_with(std::string_view("II*\0", 4));
  const bool is_tiff = is_intel || bytes.starts_with(std::string_view("MM\0*", 4));
  const bool is_webp = num_bytes == 12 && bytes.starts_with("RIFF") && bytes.ends_with("WEBP");
  if (num_bytes < 8) {
    return is_tiff;
  }
  int64_t stated = 0;
  for (int i = 0; i < 4; ++i) {
    stated |= int64_t{head[is_webp || is_intel ? 4 + i : 7 - i]} << (8 * i);
  }
  return (is_tiff && stated >= length) || (is_webp && stated + 8 > length);
}

[[noreturn]] void ThrowDamaged(const std::vector<std::string>& warnings, bool is_cut_short) {
  Remarks remarks = VipsErrorRemarks();
  for (const std::string& warning : warnings) {
    if (!IsHarmless(warning)) {
      remarks.Add(warning);
    }
  }
  const std::string text = Join(remarks.lines());
  throw InputError((is_cut_short || MeansTruncated(text) ? "truncated: " : "damaged: ") + text);
}

// Where the upright picture has the sample of column x and row y of the stored one: origin + x * step_x + y * step_y.
struct UprightPlacement {
  ImageSize size;
  ptrdiff_t origin = 0, step_x = 0, step_y = 0;  // bytes
};

// EXIF orientation 1..8: 2 mirrored, 3 turned by 180 degrees, 4 flipped, 5 to 8 the same with the axes exchanged.
UprightPlacement PlaceUpright(ImageSize stored, int orientation) {
  const bool exchanged = orientation >= 5;
  UprightPlacement placement;
  placement.size = exchanged ? ImageSize{stored.height, stored.width} : stored;
  const ptrdiff_t pixel = 3, row = 3 * placement.size.width;
  const bool x_backwards = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool y_backwards = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  placement.step_x = (exchanged ? row : pixel) * (x_backwards ? -1 : 1);
  placement.step_y = (exchanged ? pixel : row) * (y_backwards ? -1 : 1);
  placement.origin = (x_backwards ? -(stored.width - 1) * placement.step_x : 0) +
                     (y_backwards ? -(stored.height - 1) * placement.step_y : 0);
  return placement;
}

uint8_t Multiply255(uint8_t a, uint8_t b) {
  const unsigned product = static_cast<unsigned>(a) * b + 128;
  return static_cast<uint8_t>((product + (product >> 8)) >> 8);
}

// One stored row of `bands` 8-bit samples to RGB, `step_x` bytes from pixel to pixel.
void WriteRgbRow(const uint8_t* stored, int64_t width, int bands, bool cmyk, uint8_t* rgb, ptrdiff_t step_x) {
  for (int64_t x = 0; x < width; ++x, stored += bands, rgb += step_x) {
    for (int c = 0; c < 3; ++c) {
      if (cmyk) {
        const uint8_t light = 255 - stored[3];
        rgb[c] = light - Multiply255(stored[c], light);
      } else {
        rgb[c] = stored[bands >= 3 ? c : 0];
      }
    }
  }
}

// Replaces `image` by the result of a libvips operation that was called as operation(image, &out).
template <typename Operation>
void Apply(VipsPtr<VipsImage>* image, Operation operation) {
  VipsImage* out = nullptr;
  if (operation(image->get(), &out) != 0) {
    throw InputError("its samples cannot be converted to 8-bit RGB: " + TakeVipsError());
  }
  image->reset(out);
}

// Grey, RGB or CMYK, with or without more bands, of 8 bits.
void ConvertToBytes(VipsPtr<VipsImage>* image, std::vector<std::string>* repairs) {
  const VipsInterpretation kind = vips_image_get_interpretation(image->get());
  const bool plain = kind == VIPS_INTERPRETATION_sRGB || kind == VIPS_INTERPRETATION_RGB ||
                     kind == VIPS_INTERPRETATION_B_W || kind == VIPS_INTERPRETATION_CMYK ||
                     kind == VIPS_INTERPRETATION_RGB16 || kind == VIPS_INTERPRETATION_GREY16 ||
                     kind == VIPS_INTERPRETATION_MULTIBAND;
  if (!plain) {
    Apply(image,
          [](VipsImage* in, VipsImage** out) { return vips_colourspace(in, out, VIPS_INTERPRETATION_sRGB, nullptr); });
    repairs->push_back("colours converted to sRGB");
  }
  const VipsBandFormat format = vips_image_get_format(image->get());
  if (format == VIPS_FORMAT_USHORT) {
    Apply(image, [](VipsImage* in, VipsImage** out) { return vips_msb(in, out, nullptr); });
    repairs->push_back("16-bit samples reduced to 8 bits");
  } else if (format != VIPS_FORMAT_UCHAR) {
    Apply(image, [](VipsImage* in, VipsImage** out) { return vips_cast_uchar(in, out, nullptr); });
    repairs->push_back("samples clipped to 8 bits");
  }
}

void NoteDroppedBands(int bands, bool cmyk, std::vector<std::string>* repairs) {
  if (cmyk) {
    repairs->push_back("CMYK converted to RGB");
  } else if (bands == 2 || bands == 4) {
    repairs->push_back("transparency dropped");
  }
}

void CheckHeader(VipsImage* header, int64_t pixel_limit) {
  const int64_t width = vips_image_get_width(header), height = vips_image_get_height(header);
  if (width > pixel_limit / height) {
    throw InputError(std::to_string(width) + "x" + std::to_string(height) + " pixels, more than the limit of " +
                     std::to_string(pixel_limit));
  }
}

void CheckKind(VipsSource* source, bool is_cut_short) {
  // A blocked loader still recognises its files.
  const char* loader = vips_foreign_find_load_source(source);
  if (loader == nullptr || std::none_of(kTrustedLoaders.begin(), kTrustedLoaders.end(), [&](const char* trusted) {
        return std::string_view(loader).starts_with(trusted);
      })) {
    vips_error_clear();
    throw InputError(is_cut_short ? "truncated: it ends in its header"
                                  : std::string("not a ") + kKnownKinds + " picture");
  }
}

// Nothing where the decoder gives up, with its reason in the error buffer.
std::optional<DecodedPicture> DecodeSource(VipsSource* source, int64_t pixel_limit, VipsFailOn fail_on) {
  VipsPtr<VipsImage> image(
      vips_image_new_from_source(source, "", "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", fail_on, nullptr));
  if (!image) {
    return std::nullopt;
  }
  CheckHeader(image.get(), pixel_limit);
  const int orientation = vips_image_get_orientation(image.get());
  DecodedPicture picture;
  if (const int num_pages = vips_image_get_n_pages(image.get()); num_pages > 1) {
    picture.repairs.push_back("page 1 of " + std::to_string(num_pages) + " read");
  }
  ConvertToBytes(&image, &picture.repairs);
  const int64_t width = vips_image_get_width(image.get()), height = vips_image_get_height(image.get());
  const int bands = vips_image_get_bands(image.get());
  const bool cmyk = vips_image_get_interpretation(image.get()) == VIPS_INTERPRETATION_CMYK && bands >= 4;
  NoteDroppedBands(bands, cmyk, &picture.repairs);
  const UprightPlacement placement = PlaceUpright({width, height}, orientation);
  if (orientation > 1) {
    picture.repairs.push_back("turned upright (EXIF orientation " + std::to_string(orientation) + ")");
  }
  picture.pixels = RgbImage(placement.size);
  // Strip by strip in this thread: vips_image_write and its kin would start threads of their own.
  const VipsPtr<VipsRegion> region(vips_region_new(image.get()));
  for (int64_t top = 0; top < height; top += kStripRows) {
    const VipsRect strip = {0, static_cast<int>(top), static_cast<int>(width),
                            static_cast<int>(std::min<int64_t>(kStripRows, height - top))};
    if (vips_region_prepare(region.get(), &strip) != 0) {
      return std::nullopt;
    }
    for (int y = strip.top; y < strip.top + strip.height; ++y) {
      WriteRgbRow(VIPS_REGION_ADDR(region.get(), 0, y), width, bands, cmyk,
                  picture.pixels.row(0) + placement.origin + y * placement.step_y, placement.step_x);
    }
  }
  return picture;
}

template <typename MakeSource>
DecodedPicture DecodeOnce(MakeSource make_source, int64_t pixel_limit, VipsFailOn fail_on) {
  const WarningScope warnings;
  std::optional<DecodedPicture> picture;
  bool is_cut_short = false;
  {
    const VipsPtr<VipsSource> source(make_source());
    if (!source) {
      throw InputError("cannot be opened: " + TakeVipsError());
    }
    is_cut_short = IsCutShort(source.get());
    CheckKind(source.get(), is_cut_short);
    picture = DecodeSource(source.get(), pixel_limit, fail_on);
  }  // some loaders warn when they are closed
  const bool judges_warnings = fail_on != VIPS_FAIL_ON_WARNING;
  if (!picture || std::any_of(warnings.lines().begin(), warnings.lines().end(),
                              [&](const std::string& line) { return !judges_warnings || !IsHarmless(line); })) {
    ThrowDamaged(warnings.lines(), is_cut_short);
  }
  for (const std::string& line : warnings.lines()) {
    if (line != kOneJpegWarning) {
      picture->repairs.push_back("ignored: " + line);
    }
  }
  return *std::move(picture);
}

// First any warning counts as failure; the second time, alone, the warnings are told apart.
template <typename MakeSource>
DecodedPicture Decode(MakeSource make_source, int64_t pixel_limit) {
  StartVips();
  try {
    const std::shared_lock lock(ErrorBufferLock());
    return DecodeOnce(make_source, pixel_limit, VIPS_FAIL_ON_WARNING);
  } catch (const InputError&) {
    const std::unique_lock lock(ErrorBufferLock());
    vips_error_clear();
    return DecodeOnce(make_source, pixel_limit, VIPS_FAIL_ON_ERROR);
  }
}

}  // namespace

DecodedPicture DecodePictureFile(const std::filesystem::path& file, int64_t pixel_limit) {
  RequireLocalFile(file, "a picture", "give it on standard input, named -");
  return Decode([&] { return vips_source_new_from_file(file.c_str()); }, pixel_limit);
}

DecodedPicture DecodePictureBytes(std::span<const std::byte> bytes, int64_t pixel_limit) {
  if (bytes.empty()) {
    throw InputError("empty");
  }
  return Decode([&] { return vips_source_new_from_memory(bytes.data(), bytes.size()); }, pixel_limit);
}

}  // namespace percept::nodes
