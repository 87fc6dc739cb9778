// SPDX-License-Identifier: Apache-2.0
#include "engine/verify.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "decoder/config/drafter_rules.h"
#include "decoder/model/drafter.h"
#include "decoder/model/text_decoder.h"
#include "decoder/model/weights.h"
#include "decoder/state/activations.h"
#include "decoder/state/draft_activations.h"
#include "decoder/state/kv_cache.h"
#include "decoder/text/special_tokens.h"
#include "decoder/text/tokenizer.h"
#include "encoders/vision/patches.h"
#include "encoders/vision/vision_batch.h"
#include "engine/checkpoint.h"
#include "kernels/core/quoted.h"
#include "kernels/cpu/context.h"
#include "kernels/ops/dequantize.h"

namespace percept {
namespace {

std::string NotFinite(const std::string& file, const std::string& name, int64_t row, int64_t place) {
  return file + ": tensor " + Quoted(name) + " holds a value that is no finite number, in row " + std::to_string(row) +
         " at " + std::to_string(place);
}

constexpr size_t kMaxProblems = 20;
constexpr int64_t kPieceElements = int64_t{1} << 16;

// Texts that come back as they were: scripts, runs of white space, digits, emoji of several code points, code.
constexpr std::string_view kTexts[] = {
    "Hello, world!",
    "  two  spaces\n\n\n\tand a tab",
    "Größe, café, naïve",
    "Ελληνικά, русский, עברית, العربية",
    "漢字とかなの混ざった文。한국어도.",
    "1234567890 3.14159 -42 1e-7",
    "👩‍👩‍👧‍👦 🇪🇺 ✅",
    "for (int i = 0; i < n; ++i) { a[i] += \"x\"; }",
};

class Verifier {
 public:
  Verifier(const std::function<void(const std::string& passed)>& tell, std::vector<std::string>* problems)
      : tell_(tell), problems_(*problems) {}

  void Run(const std::filesystem::path& path, const std::filesystem::path& mmproj,
           const std::filesystem::path& drafter_path) {
    Checkpoint checkpoint = ReadCheckpoint(path, mmproj);
    TellFiles("files", checkpoint);
    if (const std::string mechanisms = UnsupportedMechanisms(checkpoint); !mechanisms.empty()) {
      problems_.push_back(mechanisms);
      return;
    }
    CheckValues(checkpoint);
    std::optional<DrafterPart> drafter;
    if (!drafter_path.empty()) drafter = CheckDrafterFiles(ReadCheckpoint(drafter_path), checkpoint);
    const Tokenizer tokenizer = ReadTokenizer(checkpoint);
    CheckTokenizer(tokenizer, checkpoint);
    if (problems_.empty()) CheckComputation(std::move(checkpoint), std::move(drafter), tokenizer);
  }

 private:
  void TellFiles(const std::string& name, const Checkpoint& checkpoint) const {
    tell_(name + ": " + std::to_string(checkpoint.stored.size()) + " tensors in " +
          std::to_string(checkpoint.file_bytes) + " bytes, as the headers say");
  }

  DrafterPart CheckDrafterFiles(Checkpoint drafter, const Checkpoint& target) {
    TellFiles("drafter", drafter);
    RequireDrafterFor(target.config.text, target.config_file(), drafter.config.text, drafter.config_file());
    CheckValues(drafter);
    return {std::move(drafter.tensors), std::move(drafter.config.text)};
  }

  void CheckValues(const Checkpoint& checkpoint) {
    const size_t before = problems_.size();
    const std::vector<std::string> unused = UnusedTensors(checkpoint.config.text, *checkpoint.tensors);
    int64_t num_checked = 0;
    for (const std::string& name : checkpoint.tensors->Names()) {
      if (std::binary_search(unused.begin(), unused.end(), name)) continue;
      try {
        const ConstTensor& tensor = *checkpoint.tensors->Find(name);
        if (IsReal(tensor.dtype))
          CheckTensor(checkpoint.tensors->FileOf(name), checkpoint.tensors->NameInFile(name), tensor);
      } catch (const CheckpointError& error) {
        problems_.push_back(error.what());
      }
      checkpoint.tensors->ReleasePages(name);
      ++num_checked;
      if (problems_.size() >= kMaxProblems) break;
    }
    if (problems_.size() == before) tell_("values: " + std::to_string(num_checked) + " tensors, all values finite");
  }

  // A matrix of nothing but zeros is a hole that a download left.
  void CheckTensor(const std::string& file, const std::string& name, const ConstTensor& tensor) {
    if (tensor.shape.elements() == 0) return;
    const int64_t width = tensor.shape.rank() == 0 ? 1 : tensor.width();
    ConstTensor matrix = tensor;
    matrix.shape = {tensor.shape.elements() / width, width};
    bool any_value = false;
    for (int64_t row = 0; row < matrix.shape[0]; ++row) {
      for (int64_t first = 0; first < width; first += kPieceElements) {
        const int64_t count = std::min(width - first, kPieceElements);
        values_.resize(static_cast<size_t>(count));
        ops::DequantizeColumns(isa_, matrix, row, first, count, values_.data());
        const auto odd = std::find_if(values_.begin(), values_.end(), [](float v) { return !std::isfinite(v); });
        if (odd != values_.end()) {
          problems_.push_back(NotFinite(file, name, row, first + (odd - values_.begin())));
          return;
        }
        any_value = any_value || std::any_of(values_.begin(), values_.end(), [](float v) { return v != 0; });
      }
    }
    if (!any_value && tensor.shape.rank() > 1) {
      problems_.push_back(file + ": tensor " + Quoted(name) + " holds nothing but zeros");
    }
  }

  void CheckTokenizer(const Tokenizer& tokenizer, const Checkpoint& checkpoint) {
    const size_t before = problems_.size();
    RequireSameIds(FindSpecialTokens(tokenizer), tokenizer, checkpoint.config.text, checkpoint.config_file());
    for (const std::string_view text : kTexts) {
      const std::vector<int32_t> ids = tokenizer.Encode(text, Trust::kUntrusted);
      if (const std::string back = tokenizer.Decode(ids, /*keep_special=*/true); back != text) {
        problems_.push_back(tokenizer.source() + ": '" + std::string(text) + "' comes back as '" + back + "'");
      }
    }
    if (problems_.size() == before) {
      tell_("tokenizer: " + std::to_string(tokenizer.vocab_size()) + " tokens, " + std::to_string(std::size(kTexts)) +
            " texts come back as they were");
    }
  }

  void CheckComputation(Checkpoint checkpoint, std::optional<DrafterPart> drafter, const Tokenizer& tokenizer) {
    const std::string file = checkpoint.config_file();
    const LoadedWeights weights(std::move(checkpoint.tensors), checkpoint.config, MakeKernelContext(Mode::kFast, isa_),
                                std::move(drafter));
    tell_("shapes: every tensor of the model is there, and none that is not part of it");
    std::vector<int32_t> ids = {FindSpecialTokens(tokenizer).bos};
    const std::vector<int32_t> words = tokenizer.Encode(kTexts[0], Trust::kUntrusted);
    ids.insert(ids.end(), words.begin(), words.end());
    RunPrompt(weights, ids, file);
    if (weights.vision) RunPicture(*weights.vision, file);
  }

  void RunPrompt(const LoadedWeights& weights, const std::vector<int32_t>& ids, const std::string& file) {
    const TextDecoder& decoder = *weights.decoder;
    const auto rows = static_cast<int64_t>(ids.size());
    KvPool pool(decoder.config(), rows, int64_t{1} << 40);
    Activations activations(decoder.config(),
                            {.max_rows = rows, .max_segments = 1, .max_output_rows = 1, .max_positions = rows});
    const std::unique_ptr<KvCache> cache = pool.Reserve(rows);
    const Segment segment{.cache = cache.get(), .ids = ids, .soft_rows = {}, .num_output_rows = 1};
    const ForwardOutput output = decoder.Forward({&segment, 1}, activations, nullptr);
    Judge(output.logits, file + ": the logits of a short prompt",
          "prompt: " + std::to_string(rows) + " tokens give finite logits that differ");
    if (weights.drafter) RunDrafter(*weights.drafter, *cache, ids.back(), output.hidden, file);
  }

  void RunDrafter(const Drafter& drafter, KvCache& cache, int32_t id, ConstMatrixView hidden, const std::string& file) {
    constexpr int kNumTokens = 3;
    std::vector<float> state(hidden.row(0), hidden.row(0) + hidden.cols);
    DraftActivations activations(drafter.config(), 1, cache.num_positions());
    DraftRow row{.cache = &cache, .id = id, .hidden = state};
    for (int i = 0; i < kNumTokens; ++i) {
      drafter.Step({&row, 1}, activations);
      if (row.id == Drafter::kNoToken) {
        problems_.push_back(file + ": the logits of its drafter are no finite numbers");
        return;
      }
    }
    tell_("drafter: " + std::to_string(kNumTokens) + " tokens drafted");
  }

  void RunPicture(const VisionTower& tower, const std::string& file) {
    constexpr int kSide_px = 2 * kCellSide_px;
    RgbImage picture({kSide_px, kSide_px});
    for (int y = 0; y < kSide_px; ++y) {
      uint8_t* row = picture.row(y);
      for (int i = 0; i < 3 * kSide_px; ++i) row[i] = static_cast<uint8_t>(2 * y + i);
    }
    const ImagePatches patches = CutPatches(picture.view(), PixelValues::kTimesReciprocal);
    const ImagePatches* pictures[] = {&patches};
    VisionBatch batch(tower, patches.grid.num_patches());
    batch.Begin(pictures);
    for (int64_t layer = 0; layer < tower.num_layers(); ++layer) batch.RunLayer(layer);
    const Matrix soft_tokens(patches.grid.num_soft_tokens(), tower.decoder_hidden());
    const MatrixView views[] = {soft_tokens.view()};
    batch.Finish(views);
    Judge(soft_tokens.view(), file + ": the soft tokens of a small picture",
          "picture: " + std::to_string(soft_tokens.rows()) + " soft tokens, finite");
  }

  void Judge(ConstMatrixView values, const std::string& what, const std::string& passed) {
    bool any_differs = false;
    for (int64_t row = 0; row < values.rows; ++row) {
      for (int64_t i = 0; i < values.cols; ++i) {
        if (!std::isfinite(values.row(row)[i])) {
          problems_.push_back(what + " are no finite numbers");
          return;
        }
        any_differs = any_differs || values.row(row)[i] != values.row(0)[0];
      }
    }
    if (any_differs) {
      tell_(passed);
    } else {
      problems_.push_back(what + " are all the same number");
    }
  }

  const std::function<void(const std::string& passed)>& tell_;
  std::vector<std::string>& problems_;
  const Isa isa_ = MakeKernelContext(Mode::kFast, Isa::kAmxBf16).isa;
  std::vector<float> values_;
};

}  // namespace

std::vector<std::string> VerifyModel(const std::filesystem::path& path, const std::filesystem::path& mmproj,
                                     const std::filesystem::path& drafter,
                                     const std::function<void(const std::string& passed)>& tell) {
  std::vector<std::string> problems;
  try {
    Verifier(tell, &problems).Run(path, mmproj, drafter);
  } catch (const CheckpointError& error) {
    problems.push_back(error.what());
  }
  return problems;
}

}  // namespace percept
