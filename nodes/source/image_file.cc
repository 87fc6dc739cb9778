// SPDX-License-Identifier: Apache-2.0
//
//   read: { type: image.file, path: [ receipt.png, letter.jpg ] }
//
// Reads still pictures: files one by one, "-" from standard input. On the timeline the pictures stand a second apart.
#include <algorithm>
#include <atomic>
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
#include "nodes/source/pipe_reader.h"

namespace percept::nodes {
namespace {

constexpr const char* kStandardInput = "-";

class ImageFile : public graph::Node {
 public:
  ImageFile(std::vector<std::string> paths, const Runtime& runtime)
      : paths_(std::move(paths)), input_(runtime.options().standard_input), limits_(runtime.options().limits) {}

  graph::Process Process(graph::NodeContext& context) override {
    if (reader_ != nullptr) {
      return FinishPipe(context);
    }
    if (next_idx_ >= paths_.size()) {
      return graph::Process::kFinished;
    }
    const std::string& path = paths_[next_idx_];
    const graph::Time time = context.start_time() + graph::Duration::Seconds(static_cast<double>(next_idx_));
    const bool is_pipe = path == kStandardInput;
    const graph::ItemRef item = context.NewItem(is_pipe ? "standard input" : path);
    if (is_pipe && input_ >= 0) {
      pending_ = context.Hold(item, time);
      reader_ = std::make_unique<PipeReader>(input_, static_cast<size_t>(limits_.stream_bytes), context.waker());
      return graph::Process::kBlocked;
    }
    try {
      if (is_pipe) {
        throw InputError("there is no standard input to read");
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

  void Close() override { reader_.reset(); }

  void Interrupt() override { is_interrupted_ = true; }

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
    if (!reader_->done() && is_interrupted_) {
      pending_.Done();
      return graph::Process::kFinished;
    }
    if (!reader_->done()) {
      return graph::Process::kBlocked;
    }
    try {
      const std::vector<std::byte> bytes = reader_->TakeBytes();
      const auto start = std::chrono::steady_clock::now();
      Image image = ToImage(DecodePictureBytes(bytes, limits_.picture_pixels), pending_.item_label(), start);
      context.Send("image", graph::Packet::Make(std::move(image), pending_.time()), pending_);
    } catch (const InputError& error) {
      context.SendError(graph::ErrorKind::kBadInput, error.what(), pending_);
    }
    reader_.reset();
    pending_.Done();
    return Advance(context);
  }

  graph::Process Advance(graph::NodeContext& context) {
    context.EndChunk(std::to_string(next_idx_++));
    return next_idx_ == paths_.size() ? graph::Process::kFinished : graph::Process::kHaveOutput;
  }

  const std::vector<std::string> paths_;
  const int input_;
  InputLimits limits_;  // from Open on, those of the pipeline too
  size_t next_idx_ = 0;
  std::atomic<bool> is_interrupted_{false};
  std::unique_ptr<PipeReader> reader_;
  graph::Pending pending_;  // the picture that reader_ reads
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
