// SPDX-License-Identifier: Apache-2.0
//
//   read: { type: image.file, path: [ receipt.png, letter.jpg ] }
//
// Reads still pictures: files one by one, "-" from standard input. On the timeline the pictures stand a second apart.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph/node/registry.h"
#include "kernels/core/error.h"
#include "nodes/payload/image.h"
#include "nodes/runtime.h"
#include "nodes/source/picture_decoder.h"
#include "nodes/source/standard_input.h"

namespace percept::nodes {
namespace {

class ImageFile : public graph::Node {
 public:
  ImageFile(std::vector<std::string> paths, const Runtime& runtime)
      : paths_(std::move(paths)),
        limits_(runtime.options().limits),
        pipe_(runtime.options().standard_input, limits_.stream_bytes) {}

  graph::Process Process(graph::NodeContext& context) override {
    if (pipe_.is_open()) {
      return FinishPipe(context);
    }
    if (next_idx_ >= paths_.size()) {
      return graph::Process::kFinished;
    }
    const std::string& path = paths_[next_idx_];
    const graph::Time time = context.start_time() + graph::Duration::Seconds(static_cast<double>(next_idx_));
    const bool is_pipe = path == kStandardInput;
    const graph::ItemRef item = context.NewItem(is_pipe ? "standard input" : path);
    try {
      if (is_pipe) {
        pipe_.Open(context, item, time);
        return graph::Process::kBlocked;
      }
      const auto start = std::chrono::steady_clock::now();
      Image image = ToImage(DecodePictureFile(path, limits_.picture_pixels), path, start);
      context.Send("image", graph::Packet::Make(std::move(image), time));
    } catch (const InputError& error) {
      context.SendError(graph::ErrorKind::kBadInput, error.what(), time, item);
    }
    return Advance(context);
  }

  void Open(graph::NodeContext& context) override {
    limits_.picture_pixels = std::min(limits_.picture_pixels, context.limits().pixels.value_or(limits_.picture_pixels));
    if (const std::optional<std::string> chunk = context.resume_chunk()) {
      next_idx_ = std::stoul(*chunk) + 1;
    }
  }

  void Close() override { pipe_.Close(); }

  void Interrupt() override { pipe_.Interrupt(); }

 private:
  Image ToImage(DecodedPicture picture, const std::string& source, std::chrono::steady_clock::time_point start) const {
    auto pixels = std::make_shared<const RgbImage>(std::move(picture.pixels));
    Image image;
    image.pixels = pixels->view();
    image.owner = std::move(pixels);
    image.source = source;
    image.num_in_source = paths_.size();
    image.repairs = std::move(picture.repairs);
    image.decode_time = std::chrono::steady_clock::now() - start;
    return image;
  }

  graph::Process FinishPipe(graph::NodeContext& context) {
    if (const std::optional<graph::Process> answer = pipe_.Await()) {
      return *answer;
    }
    try {
      const std::vector<std::byte> bytes = pipe_.TakeBytes();
      const auto start = std::chrono::steady_clock::now();
      Image image = ToImage(DecodePictureBytes(bytes, limits_.picture_pixels), pipe_.item().item_label(), start);
      context.Send("image", graph::Packet::Make(std::move(image), pipe_.item().time()), pipe_.item());
    } catch (const InputError& error) {
      context.SendError(graph::ErrorKind::kBadInput, error.what(), pipe_.item());
    }
    pipe_.Close();
    return Advance(context);
  }

  graph::Process Advance(graph::NodeContext& context) {
    context.EndChunk(std::to_string(next_idx_++));
    return next_idx_ == paths_.size() ? graph::Process::kFinished : graph::Process::kHaveOutput;
  }

  const std::vector<std::string> paths_;
  InputLimits limits_;  // from Open on, those of the pipeline too
  size_t next_idx_ = 0;
  StandardInput pipe_;
};

}  // namespace

void RegisterImageFile(graph::Registry* registry) {
  graph::Contract contract{
      .type = "image.file",
      .doc =
          "Reads still pictures (JPEG, PNG, WebP, TIFF, GIF), upright and as 8-bit RGB; of several pages or "
          "frames the first.",
      .example = "read: { type: image.file, path: [ receipt.png, letter.jpg ] }",
      .outputs = {{.name = "image", .type = "Image", .doc = "one per picture"}},
      .params = {{.name = "path",
                  .type = graph::ParamType::kPath,
                  .doc = "files to read, told apart by content; - is standard input",
                  .is_list = true,
                  .required = true}},
      .source = graph::SourceKind::kBatch,
  };
  registry->Register(std::move(contract), [](const graph::ParamValues& params, const graph::Services& services) {
    return std::make_unique<ImageFile>(params.Get<std::vector<std::string>>("path"), services.Get<Runtime>());
  });
}

}  // namespace percept::nodes
