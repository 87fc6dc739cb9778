// SPDX-License-Identifier: Apache-2.0
#include "nodes/batch/batch.h"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/interrupts.h"
#include "cli/output_check.h"
#include "cli/progress.h"
#include "cli/run_log.h"
#include "cli/set_flags.h"
#include "cli/standard_output.h"
#include "kernels/core/error.h"

namespace percept::cli {
namespace {

constexpr size_t kMaxListed = 100;

struct Flags {
  std::string file;
  std::vector<std::string> inputs, sets;
  std::string list, journal, merge, merge_node, failed;
  bool resume = false, retry_failed = false, json = false;
  std::string verify = "quick";
  int num_jobs = 2;
  RuntimeFlags runtime;
};

// One name a line, which may end as on Windows; empty lines are passed over.
void AddList(const std::string& list, std::vector<std::string>* inputs) {
  std::ifstream file;
  errno = 0;
  if (list != "-") {
    file.open(list);
  }
  std::istream& lines = list == "-" ? std::cin : file;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) {
      line.pop_back();
    }
    if (!line.empty()) {
      inputs->push_back(line);
    }
  }
  if (!lines.eof() || (list == "-" && std::ferror(stdin) != 0)) {
    throw ArgumentError("--list " + list + ": cannot be read: " + std::generic_category().message(errno));
  }
}

nodes::BatchOptions ToOptions(const Flags& flags, Progress* progress, RunLog* log) {
  nodes::BatchOptions options;
  options.pipeline_text = graph::ReadPipelineText(flags.file);
  options.pipeline_name = flags.file;
  options.arguments = ParseSets(flags.sets);
  options.inputs = flags.inputs;
  if (!flags.list.empty()) {
    AddList(flags.list, &options.inputs);
    options.list = flags.list;
  }
  options.failed_list = flags.failed;
  options.journal =
      flags.journal.empty() ? std::filesystem::path(flags.file).stem().string() + ".journal" : flags.journal;
  options.resume = flags.resume || flags.retry_failed;
  options.retry_failed = flags.retry_failed;
  options.verify_whole = flags.verify == "full";
  options.num_jobs = flags.num_jobs;
  options.merge = flags.merge;
  options.merge_node = flags.merge_node;
  options.on_through = [progress](size_t num_through, size_t num_failed) {
    progress->SetThrough(num_through, num_failed);
  };
  if (flags.runtime.verbose) {
    options.log = [log](const std::string& input, graph::RunNote note) {
      note.text = input + ": " + note.text;
      log->Write(note);
    };
    options.errors = [log](const std::string& input, graph::ErrorPayload failed) {
      if (failed.item != input) {
        failed.item = failed.item.empty() ? input : input + " (" + failed.item + ")";
      }
      log->Write(failed);
    };
  }
  return options;
}

int ExitCodeOf(const nodes::BatchReport& report) {
  if (!report.stop_reason.empty() || report.num_left > 0) {
    return kStopped;
  }
  return report.failed.empty() ? kAllDone : kSomeItemsFailed;
}

std::string HowToGoOn(const nodes::BatchReport& report) {
  if (report.num_left > 0) {
    return "the same command with --resume goes on from here";
  }
  return report.failed.empty() ? "" : "the same command with --retry-failed reads the failed ones again";
}

void PrintText(const nodes::BatchReport& report) {
  size_t num_listed = 0;
  for (const nodes::FailedInput& failed : report.failed) {
    for (const graph::ErrorPayload& error : failed.errors) {
      if (++num_listed <= kMaxListed) {
        const bool names_other = !error.item.empty() && error.item != failed.name;
        spdlog::error("{}{}: {}", failed.name, names_other ? " (" + error.item + ")" : "", error.reason);
      }
    }
  }
  if (num_listed > kMaxListed) {
    spdlog::error("{} more failures are not named", num_listed - kMaxListed);
  }
  for (const std::string& name : report.changed) {
    spdlog::warn("{}: changed since it was read, and was read anew", name);
  }
  for (const std::string& name : report.started_over) {
    spdlog::warn("{}: was begun before, but not all of its output is there any more: it was read anew", name);
  }
  for (const nodes::OutputNote& note : report.outputs) {
    spdlog::warn("{}: {}: {}", note.input, note.file.string(), note.what);
  }
  for (const auto& [edge, num] : report.drops) {
    spdlog::warn("edge {}: {} {} dropped", edge, num, num == 1 ? "packet was" : "packets were");
  }
  if (!report.stop_reason.empty()) {
    spdlog::error("{}", report.stop_reason);
  }
  spdlog::info("{} {}: {} done ({} of them before), {} failed, {} left", report.num_inputs,
               report.num_inputs == 1 ? "input" : "inputs", report.num_done, report.num_done_before,
               report.failed.size(), report.num_left);
  if (const std::string advice = HowToGoOn(report); !advice.empty()) {
    spdlog::info("{}", advice);
  }
}

void PrintJson(const nodes::BatchReport& report) {
  nlohmann::ordered_json json = {{"inputs", report.num_inputs},
                                 {"done", report.num_done},
                                 {"done_before", report.num_done_before},
                                 {"left", report.num_left},
                                 {"failed", nlohmann::ordered_json::array()},
                                 {"changed", report.changed},
                                 {"started_over", report.started_over},
                                 {"outputs", nlohmann::ordered_json::array()},
                                 {"dropped", report.drops},
                                 {"stopped_by", nullptr}};
  for (const nodes::FailedInput& failed : report.failed) {
    nlohmann::ordered_json errors = nlohmann::ordered_json::array();
    for (const graph::ErrorPayload& error : failed.errors) {
      errors.push_back({{"item", error.item},
                        {"kind", graph::ToString(error.kind)},
                        {"node", error.node},
                        {"reason", error.reason}});
    }
    json["failed"].push_back({{"input", failed.name}, {"errors", std::move(errors)}});
  }
  for (const nodes::OutputNote& note : report.outputs) {
    json["outputs"].push_back({{"input", note.input}, {"file", note.file.string()}, {"what", note.what}});
  }
  if (!report.stop_reason.empty()) {
    json["stopped_by"] = report.stop_reason;
  }
  std::cout << json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
}

// The names of the inputs in quarantine, as --list reads them.
void WriteFailed(const std::string& path, const nodes::BatchReport& report) {
  std::string names;
  for (const nodes::FailedInput& failed : report.failed) {
    if (failed.name.find('\n') == std::string::npos && !failed.name.ends_with('\r')) {
      names += failed.name + "\n";
    } else {
      spdlog::warn("--failed {}: leaves out a name with a line end in it: {}", path, failed.name);
    }
  }
  std::ofstream file(path, std::ios::binary);
  if (!(file << names).flush()) {
    throw Error("--failed " + path + ": cannot be written: " + std::generic_category().message(errno));
  }
}

int RunBatch(const Flags& flags) {
  if (flags.json && flags.merge == "-") {
    throw ArgumentError("--json and --merge - would both write standard output");
  }
  for (const auto& [flag, file] : {std::pair("--merge", &flags.merge), std::pair("--failed", &flags.failed)}) {
    if (!file->empty()) {
      CheckMayWrite(flag, *file);
    }
  }
  Interrupts interrupts;
  nodes::RuntimeOptions runtime_options = flags.runtime.ToOptions();
  Progress progress({}, 0);
  StandardOutput output(progress);
  runtime_options.standard_output = &output;
  runtime_options.trace = &progress;
  RunLog log(progress);
  nodes::BatchOptions options = ToOptions(flags, &progress, &log);
  GiveModelTo(&options.arguments, flags.runtime);
  const bool asks_to_resume = options.resume;
  const std::string journal = options.journal.string();
  nodes::Runtime runtime(std::move(runtime_options));
  nodes::Batch batch(std::move(options), runtime);
  for (const std::string& warning : batch.warnings()) {
    spdlog::warn("{}", warning);
  }
  if (!batch.why_uncut().empty()) {
    spdlog::info("an input that is interrupted will start over: {}", batch.why_uncut());
  }
  if (asks_to_resume && !batch.had_journal()) {
    spdlog::info("{}: there is no such journal yet: everything is begun anew", journal);
  }
  progress.SetTotal(batch.num_inputs());
  const auto finish = [&] {
    progress.Hide();
    spdlog::info(kFinishing);
    batch.Stop();
  };
  const nodes::BatchReport report = interrupts.During({finish, [&] { batch.Cancel(); }}, [&] { return batch.Run(); });
  progress.Hide();
  PrintText(report);
  if (flags.json) {
    PrintJson(report);
  }
  if (!flags.failed.empty()) {
    WriteFailed(flags.failed, report);
  }
  return ExitCodeOf(report);
}

}  // namespace

void AddBatch(CLI::App& app, Action* action) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("batch", "Run a pipeline over many inputs, and go on where it was interrupted");
  verb->add_option("file", flags->file, "pipeline to run; each input in turn is its parameter `input`")
      ->required()
      ->type_name("FILE");
  verb->add_option("inputs", flags->inputs, "files; a folder stands for all files in it and below")->type_name("INPUT");
  verb->add_option("--list", flags->list, "file that names inputs, one a line; - is standard input")->type_name("FILE");
  AddSetFlags(*verb, &flags->sets);
  verb->add_option("--journal", flags->journal,
                   "what is done is kept here; else FILE's name with .journal, in this folder")
      ->type_name("FILE");
  verb->add_flag("--resume", flags->resume, "go on with the journal of an earlier run");
  verb->add_flag("--retry-failed", flags->retry_failed, "--resume, and read the inputs that failed again");
  verb->add_option("--verify", flags->verify,
                   "tell changed inputs by size, time and both ends, or by all of their bytes")
      ->capture_default_str()
      ->check(CLI::IsMember({"quick", "full"}));
  verb->add_option("--merge", flags->merge,
                   "write the rows of all inputs into one file, in their order; - is standard output")
      ->type_name("FILE");
  verb->add_option("--merge-node", flags->merge_node, "the sink whose rows those are, where there are several")
      ->type_name("NODE");
  verb->add_option("--jobs", flags->num_jobs, "inputs at work at once")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  verb->add_flag("--json", flags->json, "print the report as JSON");
  verb->add_option("--failed", flags->failed, "write the names of the inputs that failed, for --list")
      ->type_name("FILE");
  AddRuntimeFlags(*verb, &flags->runtime);
  AddContextFlags(*verb, &flags->runtime);
  verb->footer(
      "Examples:\n"
      "  percept batch pipelines/ocr.yaml scans/ --set output='${input.dir}/${input.stem}.txt'\n"
      "  percept batch pipelines/ocr.yaml scans/ --set output='${input.dir}/${input.stem}.txt' --resume\n"
      "  percept batch pipelines/ocr.yaml --list names.txt --set format=jsonl --merge all.jsonl");
  verb->callback([flags, action] {
    *action = [flags] {
      TakeModelFrom(ParseSets(flags->sets), &flags->runtime);
      return RunBatch(*flags);
    };
  });
}

}  // namespace percept::cli
