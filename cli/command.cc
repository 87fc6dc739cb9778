// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "cli/machine.h"
#include "cli/shipped_files.h"
#include "graph/run/executor.h"
#include "kernels/cpu/context.h"

namespace percept::cli {
namespace {

std::vector<std::string> IsaNames() {
  std::vector<std::string> names;
  for (const Isa isa : kAllIsas) {
    names.emplace_back(IsaName(isa));
  }
  return names;
}

}  // namespace

nodes::RuntimeOptions RuntimeFlags::ToOptions() const {
  nodes::RuntimeOptions options;
  options.num_workers = std::min(num_threads, graph::NumUsableProcessors());
  options.default_model = ResolveModel(model);
  options.default_mmproj = mmproj;
  options.default_drafter = drafter;
  options.model_limits = {.context_tokens = context_tokens,
                          .kv_limit_bytes = static_cast<int64_t>(kv_bytes),
                          .memory_bytes = ReadMachine().available_bytes};
  options.mode = mode == "exact" ? Mode::kExact : Mode::kFast;
  if (!max_isa.empty()) {
    options.max_isa = ParseIsa(max_isa);
  }
  return options;
}

EngineOptions RuntimeFlags::ToEngineOptions() const {
  return {.context_tokens = context_tokens, .kv_limit_bytes = static_cast<int64_t>(kv_bytes)};
}

nodes::ModelFiles RuntimeFlags::ToModelFiles() const { return {ResolveModel(model).string(), mmproj, drafter}; }

void AddModelFlags(CLI::App& verb, RuntimeFlags* flags) {
  verb.add_option("--model", flags->model,
                  "folder of a checkpoint, or a GGUF file; else $PERCEPT_MODEL, else the embedded model")
      ->type_name("PATH");
  verb.add_option("--mmproj", flags->mmproj,
                  "GGUF file of the encoders of a GGUF model; else the one in the model's folder, if it is a folder")
      ->type_name("FILE");
  verb.add_option("--drafter", flags->drafter,
                  "a drafter (MTP assistant) made for the model: a folder or a GGUF file; answers come sooner where it "
                  "guesses well")
      ->type_name("PATH");
}

void TakeModelFrom(const graph::Arguments& arguments, RuntimeFlags* flags) {
  for (const auto& [name, flag] : {std::pair("model", &flags->model), std::pair("mmproj", &flags->mmproj),
                                   std::pair("drafter", &flags->drafter)}) {
    if (const auto given = arguments.values.find(name); given != arguments.values.end()) {
      *flag = given->second.back();
    }
  }
}

void GiveModelTo(graph::Arguments* arguments, const RuntimeFlags& flags) {
  const nodes::ModelFiles files = flags.ToModelFiles();
  arguments->implied["model"] = files.model;
  arguments->implied["mmproj"] = files.mmproj;
  arguments->implied["drafter"] = files.drafter;
}

void AddRuntimeFlags(CLI::App& verb, RuntimeFlags* flags) {
  AddModelFlags(verb, flags);
  verb.add_option("--threads", flags->num_threads,
                  "threads to work on, at most the processors this process may use; 0: all of them")
      ->type_name("N")
      ->check(CLI::Range(0, 4096));
  verb.add_option("--mode", flags->mode, "exact gives the same bits for any threads and company")
      ->capture_default_str()
      ->check(CLI::IsMember({"fast", "exact"}));
  verb.add_flag("--verbose,-v", flags->verbose,
                "tell on standard error, as it happens, what fails, waits, is made anew, mended or dropped");
  verb.add_option("--max-isa", flags->max_isa, "use no better instruction set than this")
      ->check(CLI::IsMember(IsaNames()));
}

void AddContextFlags(CLI::App& verb, RuntimeFlags* flags) {
  verb.add_option("--context", flags->context_tokens,
                  "tokens of a prompt and its answer together; 0: as many as the model allows, at most 8192")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  verb.add_option(
          "--kv-memory", flags->kv_bytes,
          "memory for the keys and values of all prompts at work, as 2GB; else 1 GiB, or what the context needs")
      ->type_name("BYTES")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false));
}

std::filesystem::path ResolveModel(const std::string& flag) {
  if (!flag.empty()) {
    return flag;
  }
  if (const char* path = std::getenv("PERCEPT_MODEL"); path != nullptr && *path != '\0') {
    return path;
  }
  return ShippedFile("models/percept-tiny");
}

}  // namespace percept::cli
