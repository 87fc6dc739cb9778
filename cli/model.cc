// SPDX-License-Identifier: Apache-2.0
#include "engine/model.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/quantity.h"
#include "engine/verify.h"

namespace percept::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  RuntimeFlags runtime;
  bool json = false;
  int64_t context_tokens = 0;  // 0: the engine's own
};

void PrintUnused(const std::vector<std::string>& names) {
  constexpr size_t kMaxListed = 6;
  if (names.empty()) {
    return;
  }
  std::cout << "unused      " << names.size() << (names.size() == 1 ? " tensor" : " tensors")
            << " that nothing reads\n";
  for (size_t i = 0; i < std::min(names.size(), kMaxListed); ++i) {
    std::cout << "  " << names[i] << "\n";
  }
  if (names.size() > kMaxListed) {
    std::cout << "  and " << names.size() - kMaxListed << " more\n";
  }
}

void PrintMemory(const ModelCard& card, int64_t context_tokens) {
  const TextConfig* drafter = card.drafter ? &card.drafter->text : nullptr;
  const EngineMemory memory = MemoryOf(card.text, {.context_tokens = context_tokens}, drafter);
  std::cout << "memory      at a context of " << memory.context_tokens << " tokens\n"
            << "  weights as they are stored  "
            << Bytes(card.file_bytes + (drafter == nullptr ? 0 : card.drafter->file_bytes)) << "\n"
            << "  keys and values             " << Bytes(memory.sequence_bytes) << " for each sequence\n"
            << "  scratch of a decoder step   " << Bytes(memory.step_bytes) << "\n";
}

// Names in files are bytes: what is no UTF-8 in them is replaced.
void PrintJson(const Json& json) { std::cout << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n"; }

Json MemoryJson(const ModelCard& card, int64_t context_tokens) {
  const TextConfig* drafter = card.drafter ? &card.drafter->text : nullptr;
  const EngineMemory memory = MemoryOf(card.text, {.context_tokens = context_tokens}, drafter);
  return {{"context_tokens", memory.context_tokens},
          {"weight_bytes", card.file_bytes + (drafter == nullptr ? 0 : card.drafter->file_bytes)},
          {"sequence_bytes", memory.sequence_bytes},
          {"step_bytes", memory.step_bytes}};
}

Json CardJson(const ModelCard& card, int64_t context_tokens) {
  Json json = {{"name", card.name},
               {"path", card.path},
               {"format", card.is_gguf ? "gguf" : "safetensors"},
               {"parameters", card.num_parameters},
               {"tensors", card.num_tensors},
               {"bytes", card.file_bytes},
               {"dtypes", card.dtypes},
               {"layers", card.text.num_layers()},
               {"width", card.text.hidden_size},
               {"vocabulary", card.text.vocab_size},
               {"context", card.text.max_positions},
               {"mechanisms", card.mechanisms}};
  if (card.text.vision != EncoderKind::kNone) json["picture_soft_tokens"] = card.default_image_budget;
  json["unused_tensors"] = card.unused_tensors;
  json["is_drafter"] = card.text.drafter.has_value();
  if (card.text.drafter) return json;
  if (card.drafter) {
    json["drafter"] = {{"path", card.drafter->path},
                       {"parameters", card.drafter->num_parameters},
                       {"bytes", card.drafter->file_bytes}};
  }
  json["template"] = card.chat_template;
  json["memory"] = MemoryJson(card, context_tokens);
  if (!card.unsupported.empty()) json["unsupported"] = card.unsupported;
  return json;
}

void PrintCard(const ModelCard& card, int64_t context_tokens) {
  std::cout << "name        " << card.name << "\n"
            << "path        " << card.path << (card.is_gguf ? " (GGUF)" : " (safetensors)") << "\n"
            << "parameters  " << card.num_parameters << " in " << card.num_tensors << " tensors, "
            << Bytes(card.file_bytes) << "\n";
  for (const auto& [dtype, num_parameters] : card.dtypes) {
    std::cout << "  " << dtype << "  " << num_parameters << "\n";
  }
  std::cout << "decoder     " << card.text.num_layers() << " layers, width " << card.text.hidden_size << "\n"
            << "vocabulary  " << card.text.vocab_size << " tokens\n"
            << "context     " << card.text.max_positions << " tokens\n"
            << "mechanisms\n";
  for (const std::string& mechanism : card.mechanisms) {
    std::cout << "  " << mechanism << "\n";
  }
  if (card.text.vision != EncoderKind::kNone) {
    std::cout << "pictures    " << card.default_image_budget << " soft tokens each unless told otherwise\n";
  }
  PrintUnused(card.unused_tensors);
  if (card.text.drafter) {
    std::cout << "It answers nothing by itself: name it as the drafter of its model (--drafter).\n";
    return;
  }
  if (card.drafter) {
    std::cout << "drafter     " << card.drafter->path << ": " << card.drafter->num_parameters << " parameters, "
              << Bytes(card.drafter->file_bytes) << "\n";
  }
  std::cout << "template    " << card.chat_template << "\n";
  PrintMemory(card, context_tokens);
  if (!card.unsupported.empty()) {
    std::cout << "cannot be run by this program: " << card.unsupported << "\n";
  }
}

int InspectModel(const Flags& flags) {
  const nodes::ModelFiles files = flags.runtime.ToModelFiles();
  const ModelCard card = Model::Inspect(files.model, files.mmproj, files.drafter);
  if (flags.json) {
    PrintJson(CardJson(card, flags.context_tokens));
  } else {
    PrintCard(card, flags.context_tokens);
  }
  return kAllDone;
}

int VerifyModelFiles(const Flags& flags) {
  const nodes::ModelFiles files = flags.runtime.ToModelFiles();
  std::vector<std::string> passed;
  const auto tell = [&](const std::string& part) {
    if (flags.json) {
      passed.push_back(part);
    } else {
      std::cout << part << "\n";
    }
  };
  const std::vector<std::string> problems = VerifyModel(files.model, files.mmproj, files.drafter, tell);
  if (flags.json) {
    PrintJson({{"ok", problems.empty()}, {"passed", passed}, {"problems", problems}});
    return problems.empty() ? kAllDone : kWrongArguments;
  }
  for (const std::string& problem : problems) {
    spdlog::error("{}", problem);
  }
  if (!problems.empty()) {
    return kWrongArguments;
  }
  std::cout << "OK\n";
  return kAllDone;
}

CLI::App* AddVerb(CLI::App& model, const std::string& name, const std::string& description,
                  const std::shared_ptr<Flags>& flags) {
  CLI::App* verb = model.add_subcommand(name, description);
  verb->add_option("path", flags->runtime.model,
                   "folder of a checkpoint, or a GGUF file; else $PERCEPT_MODEL, else the embedded model")
      ->type_name("PATH");
  verb->add_option("--mmproj", flags->runtime.mmproj, "GGUF file of the encoders of a GGUF model")->type_name("FILE");
  verb->add_option("--drafter", flags->runtime.drafter, "a drafter made for the model: a folder or a GGUF file")
      ->type_name("PATH");
  verb->add_flag("--json", flags->json, "print the same facts as JSON");
  return verb;
}

}  // namespace

void AddModel(CLI::App& app, Action* action) {
  CLI::App* model = app.add_subcommand("model", "Look at checkpoints");
  model->require_subcommand(1);
  model->footer("Example:\n  percept model inspect models/percept-tiny");
  auto flags = std::make_shared<Flags>();
  CLI::App* inspect = AddVerb(*model, "inspect", "Tell what a checkpoint is, from its headers alone", flags);
  inspect->add_option("--context", flags->context_tokens, "tell the memory of a context of this many tokens")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  inspect->footer(
      "Examples:\n  percept model inspect ~/models/gemma-4-E2B-it --context 32768\n"
      "  percept model inspect gemma-4-E2B_q4_0-it.gguf --mmproj gemma-4-E2B-it-mmproj.gguf");
  inspect->callback([flags, action] { *action = [flags] { return InspectModel(*flags); }; });
  CLI::App* verify =
      AddVerb(*model, "verify",
              "Read all of a checkpoint and tell whether it is whole: tensors, tokenizer, a short prompt", flags);
  verify->footer("Example:\n  percept model verify ~/models/gemma-4-E2B-it");
  verify->callback([flags, action] { *action = [flags] { return VerifyModelFiles(*flags); }; });
}

}  // namespace percept::cli
