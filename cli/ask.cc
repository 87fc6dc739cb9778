// SPDX-License-Identifier: Apache-2.0
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/interrupts.h"
#include "cli/standard_output.h"
#include "decoder/text/answer_form.h"
#include "engine/model.h"
#include "kernels/core/error.h"
#include "kernels/weights/json_section.h"
#include "nodes/runtime.h"
#include "nodes/source/picture_decoder.h"
#include "nodes/source/pipe_reader.h"
#include "nodes/source/sound_decoder.h"
#include "nodes/source/standard_input.h"

namespace percept::cli {
namespace {

struct Flags {
  std::string question;
  std::vector<std::string> images;
  std::vector<std::string> sounds;
  std::string system;
  bool thinking = false;
  int budget = 0;
  int64_t max_tokens = 2048;
  int64_t max_repeats = 32;
  Sampling sampling;
  std::optional<int64_t> top_k;  // none: as the checkpoint says
  std::optional<double> top_p;
  std::vector<std::string> choices;
  std::string schema;  // a file; empty: none
  RuntimeFlags runtime;
};

// Which a signal ends: nothing runs yet.
std::vector<std::byte> ReadStandardInput() {
  return nodes::ReadPipe(STDIN_FILENO, static_cast<size_t>(nodes::InputLimits().stream_bytes));
}

void RequireOneFromStandardInput(const Flags& flags) {
  const auto num = [](const std::vector<std::string>& files) {
    return std::count(files.begin(), files.end(), nodes::kStandardInput);
  };
  if (num(flags.images) + num(flags.sounds) > 1) {
    throw ArgumentError("'-', standard input, is one picture or one clip: it is given more than once");
  }
}

std::vector<nodes::DecodedPicture> ReadPictures(const Flags& flags) {
  const int64_t limit = nodes::InputLimits().picture_pixels;
  std::vector<nodes::DecodedPicture> pictures;
  for (const std::string& file : flags.images) {
    try {
      pictures.push_back(file == nodes::kStandardInput ? nodes::DecodePictureBytes(ReadStandardInput(), limit)
                                                       : nodes::DecodePictureFile(file, limit));
    } catch (const InputError& error) {
      throw InputError(file + ": " + error.what());
    }
  }
  return pictures;
}

// No longer than the model takes.
std::vector<nodes::AudioChunk> ReadSounds(const Flags& flags, const Model& model) {
  const int64_t limit = MaxClipSamples(model.processor());
  std::vector<nodes::AudioChunk> sounds;
  for (const std::string& file : flags.sounds) {
    try {
      sounds.push_back(file == nodes::kStandardInput ? nodes::DecodeSoundBytes(ReadStandardInput(), limit)
                                                     : nodes::DecodeSoundFile(file, limit));
    } catch (const InputError& error) {
      throw InputError(file + ": " + error.what());
    }
  }
  return sounds;
}

// What --choice or --schema say; null: neither was given.
std::shared_ptr<const Automaton> FormOf(const Flags& flags) {
  try {
    if (!flags.choices.empty()) {
      return FormOfChoices(flags.choices);
    }
    return flags.schema.empty() ? nullptr : FormOfSchema(ReadTextFile(flags.schema));
  } catch (const InputError& error) {
    throw ArgumentError(error.what());
  }
}

// What the files hold that go with a question.
struct Media {
  std::vector<nodes::AudioChunk> sounds;
  std::vector<nodes::DecodedPicture> pictures;
};

// The pictures come first and the sounds last, as the model cards say. They outlive the request.
GenerateRequest RequestOf(const Flags& flags, const Media& media, const Model& model,
                          std::shared_ptr<const Automaton> form) {
  GenerateRequest request{.enable_thinking = flags.thinking,
                          .budget = flags.budget,
                          .max_tokens = flags.max_tokens,
                          .sampling = flags.sampling,
                          .form = std::move(form),
                          .max_repeats = flags.max_repeats};
  request.sampling.top_k = flags.top_k.value_or(model.generation().top_k);
  request.sampling.top_p = flags.top_p.value_or(model.generation().top_p);
  if (!flags.system.empty()) {
    request.messages.push_back({.role = Role::kSystem, .content = flags.system});
  }
  std::vector<ChatPart> content(media.pictures.size(), MediaKind::kImage);
  content.emplace_back(flags.question);
  content.insert(content.end(), media.sounds.size(), MediaKind::kAudio);
  request.messages.push_back({.content = std::move(content)});
  for (const nodes::DecodedPicture& picture : media.pictures) {
    request.pictures.push_back(picture.pixels.view());
  }
  for (const nodes::AudioChunk& sound : media.sounds) {
    request.sounds.emplace_back(sound.samples);
  }
  return request;
}

int Report(const Generation& generation) {
  switch (generation.finish) {
    case FinishReason::kStop:
      return kAllDone;
    case FinishReason::kLength:
      spdlog::warn("the answer is cut after {} tokens", generation.stats.num_output_tokens);
      return kAllDone;
    case FinishReason::kContextFull:
      spdlog::warn("the answer is cut: {}", generation.failure);
      return kAllDone;
    case FinishReason::kLoop:
      spdlog::warn("the answer went round in a loop and is cut after {} tokens", generation.stats.num_output_tokens);
      return kAllDone;
    case FinishReason::kCancelled:
      spdlog::error("{}", kCancelled);
      return kStopped;
    case FinishReason::kExpired:
    case FinishReason::kFailed:
      break;
  }
  spdlog::error("{}", generation.failure);
  return kStopped;
}

int Ask(const Flags& flags) {
  Interrupts interrupts;
  RequireUsable(flags.sampling);
  RequireOneFromStandardInput(flags);
  std::shared_ptr<const Automaton> form = FormOf(flags);
  nodes::Runtime runtime(flags.runtime.ToOptions());
  Model& model = runtime.OpenModel("");
  if (!flags.images.empty()) {
    RequireTakes(model.card(), MediaKind::kImage);
  }
  if (!flags.sounds.empty()) {
    RequireTakes(model.card(), MediaKind::kAudio);
  }
  try {
    // A clip that is too long is refused before pictures take their time.
    const Media media = {.sounds = ReadSounds(flags, model), .pictures = ReadPictures(flags)};
    const GenerateRequest request = RequestOf(flags, media, model, std::move(form));
    std::stop_source stop;
    const auto request_stop = [&stop] { stop.request_stop(); };
    const Generation generation = interrupts.During({request_stop, request_stop}, [&] {
      return model.Generate(
          request, [](std::string_view piece) { WriteStandardOutput(piece); }, stop.get_token());
    });
    if (!generation.text.empty()) {
      WriteStandardOutput("\n");
    }
    return Report(generation);
  } catch (const InputError& error) {
    spdlog::error("{}", error.what());
    return kSomeItemsFailed;
  }
}

void AddSamplingFlags(CLI::App& verb, Flags* flags) {
  verb.add_option("--temperature", flags->sampling.temperature, "0 takes the likeliest token each time")
      ->type_name("T");
  verb.add_option("--top-k", flags->top_k, "draw among the N likeliest tokens, 0 among all; else as the model says")
      ->type_name("N");
  verb.add_option("--top-p", flags->top_p, "draw among the likeliest of probability P; else as the model says")
      ->type_name("P");
  verb.add_option("--seed", flags->sampling.seed, "of what is drawn")->type_name("N");
}

}  // namespace

void AddAsk(CLI::App& app, Action* action) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("ask", "Ask a model, with pictures and sound or without; the answer streams");
  verb->add_option("question", flags->question, "what to ask")->required()->type_name("TEXT");
  verb->add_option("--image,-i", flags->images, "a picture, before the question, - is standard input; again for more")
      ->type_name("FILE")
      ->expected(1)
      ->take_all();
  verb->add_option("--audio,-a", flags->sounds, "sound, after the question, - is standard input; again for more")
      ->type_name("FILE")
      ->expected(1)
      ->take_all();
  verb->add_option("--system", flags->system, "words of the system turn")->type_name("TEXT");
  verb->add_flag("--thinking", flags->thinking, "let the model think first; thoughts are not shown");
  verb->add_option("--budget", flags->budget, "soft tokens per picture: 70, 140, 280, 560 or 1120; 0: the model's own")
      ->type_name("N");
  verb->add_option("--max-tokens", flags->max_tokens, "longest answer")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  verb->add_option("--max-repeats", flags->max_repeats,
                   "end an answer that writes the same so often in a row; 0: never")
      ->type_name("N")
      ->capture_default_str();
  CLI::Option* const choices =
      verb->add_option("--choice", flags->choices, "the answer is this text, or another that is given so")
          ->type_name("TEXT")
          ->expected(1)
          ->take_all();
  verb->add_option("--schema", flags->schema, "file with a JSON schema: the answer is JSON of this form")
      ->type_name("FILE")
      ->excludes(choices);
  AddSamplingFlags(*verb, flags.get());
  AddRuntimeFlags(*verb, &flags->runtime);
  AddContextFlags(*verb, &flags->runtime);
  verb->footer(
      "Examples:\n  percept ask \"What is a haiku?\"\n  percept ask -i before.png -i after.png \"What changed?\"\n"
      "  percept ask -a note.m4a \"Transcribe the audio.\"");
  verb->callback([flags, action] { *action = [flags] { return Ask(*flags); }; });
}

}  // namespace percept::cli
