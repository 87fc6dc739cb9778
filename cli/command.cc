// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "cli/shipped_files.h"
#include "graph/run/executor.h"
#include "kernels/cpu/context.h"

namespace percept::cli {
namespace {

std::vector<std::string> IsaNames() {
  std::vector<std::string> names;
  for (const Isa isa : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16, Isa::kAmxBf16}) {
    names.emplace_back(IsaName(isa));
  }
  return names;
}

}  // namespace

nodes::RuntimeOptions RuntimeFlags::ToOptions() const {
  nodes::RuntimeOptions options;
  options.num_workers = std::min(num_threads, graph::NumUsableProcessors());
  options.default_model = ResolveModel(model);
  options.mode = mode == "exact" ? Mode::kExact : Mode::kFast;
  if (!max_isa.empty()) {
    options.max_isa = ParseIsa(max_isa);
  }
  return options;
}

void AddRuntimeFlags(CLI::App& verb, RuntimeFlags* flags) {
  verb.add_option("--model", flags->model, "folder of a checkpoint; else $PERCEPT_MODEL, else the embedded model")
      ->type_name("PATH");
  verb.add_option("--threads", flags->num_threads,
                  "threads to work on, at most the processors this process may use; 0: all of them")
      ->type_name("N")
      ->check(CLI::Range(0, 4096));
  verb.add_option("--mode", flags->mode, "exact gives the same bits for any threads and company")
      ->capture_default_str()
      ->check(CLI::IsMember({"fast", "exact"}));
  verb.add_option("--max-isa", flags->max_isa, "use no better instruction set than this")
      ->check(CLI::IsMember(IsaNames()));
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
