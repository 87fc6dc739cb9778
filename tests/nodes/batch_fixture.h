// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kernels/core/error.h"
#include "nodes/batch/batch.h"
#include "nodes/payload/record.h"
#include "tests/nodes/node_run.h"
#include "tests/support/temp_folder.h"

namespace percept::nodes {

// Three records, each a chunk, about the input that it is given. An input with "bad" in its name has a bad second
// record, one with "broken" throws there.
class RecordSource : public graph::Node {
 public:
  RecordSource(std::string input, bool is_mended, std::function<void()> on_record)
      : input_(std::move(input)), is_mended_(is_mended), on_record_(std::move(on_record)) {}
  void Open(graph::NodeContext& context) override {
    if (const auto chunk = context.resume_chunk()) {
      next_ = std::stoi(*chunk) + 1;
    }
  }
  graph::Process Process(graph::NodeContext& context) override {
    if (next_ == 3) {
      return graph::Process::kFinished;
    }
    on_record_();
    const std::string item = input_ + "/" + std::to_string(next_);
    const graph::ItemRef ref = context.NewItem(item);
    const graph::Time time = graph::Time::Seconds(next_);
    const bool is_second = next_ == 1 && !is_mended_;
    if (is_second && input_.find("broken") != std::string::npos) {
      throw std::runtime_error("broken record");
    }
    if (is_second && input_.find("bad") != std::string::npos) {
      context.SendError(graph::ErrorKind::kBadInput, "bad record", time, ref);
    } else {
      Record record;
      record.item = item;
      record.timestamp = time;
      record.text = item;
      context.Send("record", graph::Packet::Make(std::move(record), time));
    }
    context.EndChunk(std::to_string(next_++));
    return graph::Process::kHaveOutput;
  }

 private:
  const std::string input_;
  const bool is_mended_;
  const std::function<void()> on_record_;
  int next_ = 0;
};

inline constexpr const char* kPipeline = R"(percept: 1
params:
  input: { type: string, required: true }
  output: { type: path, default: "-" }
nodes:
  read: { type: test.records, input: "${input}" }
  out: { type: sink.text, in: read.record, path: "${output}" }
)";

class BatchTest : public testing::Test {
 protected:
  BatchTest() : runtime_(TestOptions()) {
    graph::Contract contract{.type = "test.records",
                             .doc = "Records about its input.",
                             .example = "read: { type: test.records, input: a }",
                             .outputs = {{.name = "record", .type = "Record", .doc = "three"}},
                             .params = {{.name = "input", .type = graph::ParamType::kPath, .doc = "a name"}},
                             .source = graph::SourceKind::kBatch,
                             .in_flight = 1};  // a record is begun once the chunk before the last is committed
    runtime_.registry().Register(
        std::move(contract),
        [this](const graph::ParamValues& params, const graph::Services&) {
          return std::make_unique<RecordSource>(params.Get<std::string>("input"), is_mended_, [this] { on_record_(); });
        },
        [this](const graph::ParamValues&, const std::vector<std::string>&) { ++num_checks_; });
    options_.pipeline_text = kPipeline;
    options_.pipeline_name = "records.yaml";
    options_.journal = folder_.path() / "journal";
    SetOutput("${input.stem}.txt");
  }

  void SetOutput(const std::string& name) {
    options_.arguments.values["output"] = {(folder_.path() / "out" / name).string()};
    std::filesystem::create_directories(folder_.path() / "out");
  }
  BatchReport Run(std::vector<std::string> inputs) {
    options_.inputs = std::move(inputs);
    return Batch(options_, runtime_).Run();
  }
  // Input "a", cancelled at its third record.
  void Interrupt() {
    options_.inputs = {"a"};
    Batch batch(options_, runtime_);
    on_record_ = [&, num = 0]() mutable {
      if (++num == 3) {
        batch.Cancel();
      }
    };
    batch.Run();
    on_record_ = [] {};
  }
  std::string Refusal(std::vector<std::string> inputs) {
    try {
      Run(std::move(inputs));
    } catch (const ArgumentError& error) {
      return error.what();
    } catch (const graph::DefinitionError& error) {
      return error.what();
    }
    return "";
  }
  std::string Output(const std::string& name) const { return ReadText(folder_.path() / "out" / name); }
  std::string Folder() const { return folder_.path().string(); }

  const TempFolder folder_;
  Runtime runtime_;
  BatchOptions options_;
  std::function<void()> on_record_ = [] {};
  std::atomic<bool> is_mended_{false};  // then no input is bad or broken
  std::atomic<int> num_checks_{0};
};

inline std::string Failures(const BatchReport& report) {
  std::string text;
  for (const FailedInput& failed : report.failed) {
    for (const graph::ErrorPayload& error : failed.errors) {
      text += failed.name + ": " + error.item + ": " + error.reason + "\n";
    }
  }
  return text;
}

inline std::string WouldWriteInput(const std::string& input, const std::string& output, const std::string& other) {
  return "the input " + input + " would write " + output + ", which is the input " + other +
         ": write to another folder or under another name, or, where an earlier run wrote it, go on with that run's "
         "journal by --resume";
}

}  // namespace percept::nodes
