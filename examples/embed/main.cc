// SPDX-License-Identifier: Apache-2.0
// Percept inside a program:  embed MODEL_FOLDER
//
// A camera thread pushes 100 frames out of four buffers of its own, without a copy. One of them is cancelled. After 60
// the program wants another prompt: the rest goes to a second graph, on the same model, while the first one still
// answers. In the end the model answers a question without any graph.
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "graph/config/checked_graph.h"
#include "graph/run/graph.h"
#include "nodes/app/app_ports.h"
#include "nodes/payload/image.h"
#include "nodes/payload/record.h"
#include "nodes/runtime.h"

namespace graph = percept::graph;
using percept::nodes::AppSink;
using percept::nodes::AppSource;
using percept::nodes::Image;
using percept::nodes::PushResult;
using percept::nodes::Record;

constexpr int kNumFrames = 100, kNumBuffers = 4, kChangeAt = 60, kCancelled = 30;
constexpr int64_t kWidth = 160, kHeight = 120;

constexpr char kPipeline[] = R"(
percept: 1
params:
  prompt: { type: string, required: true }
nodes:
  camera: { type: app.source, name: frames, payload: Image }
  see: { type: encode.vision, in: camera, budget: 70 }
  say: { type: decode.gemma4, in: see, prompt: "${prompt}", max_tokens: 4 }
  out: { type: app.sink, in: say.record, name: answers, payload: Record }
)";

struct Tally {
  std::atomic<int> num_answered{0}, num_failed{0};
};

// A graph that answers one prompt about every frame.
class Watch {
 public:
  Watch(percept::nodes::Runtime& runtime, const std::string& prompt, Tally& tally)
      : frames_("frames", [this] { room_.release(); }),
        answers_("answers", [&tally](const percept::nodes::Arrival<Record>& answer) {
          ++(answer.is_error() ? tally.num_failed : tally.num_answered);
        }) {
    ports_.Lend(frames_);
    ports_.Lend(answers_);
    services_ = runtime.services();
    services_.Add(ports_);
    graph::Arguments arguments;
    arguments.values["prompt"] = {prompt};
    const auto checked =
        graph::Check(graph::Bind(graph::ParsePipeline(kPipeline, "embed"), arguments), runtime.registry());
    // The library prints nothing: what it has to say while it runs goes where the program wants it.
    graph::GraphOptions options;
    options.log = [](const graph::RunNote& note) { std::fprintf(stderr, "embed: %s\n", note.text.c_str()); };
    options.errors = [](const graph::ErrorPayload& error) {
      std::fprintf(stderr, "embed: %s: %s\n", error.item.c_str(), error.reason.c_str());
    };
    graph_ = std::make_unique<graph::Graph>(checked, runtime.executor(), services_, options);
    graph_->Start();
  }

  // Waits while the source is full. A program that must not wait drops the frame instead.
  bool Push(Image frame, graph::Time time, const std::string& name) {
    while (true) {
      const PushResult result = frames_.Push(std::move(frame), time, name);
      if (result != PushResult::kFull) return result == PushResult::kAccepted;
      room_.acquire();
    }
  }
  bool Cancel(graph::Time time) { return frames_.Cancel(time); }
  void Close() { frames_.Close(); }
  graph::RunResult Wait() { return graph_->Wait(); }

 private:
  std::counting_semaphore<> room_{0};
  AppSource<Image> frames_;
  AppSink<Record> answers_;
  percept::nodes::AppPorts ports_;
  graph::Services services_;
  std::unique_ptr<graph::Graph> graph_;  // first to go: it uses the rest
};

// Stands for a camera's driver: buffers that are filled again once nobody reads them any more.
class Camera {
 public:
  Camera() { buffers_.fill(std::vector<uint8_t>(kWidth * kHeight * 3)); }

  void Shoot(Watch& first, Watch& second) {
    for (int i = 0; i < kNumFrames; ++i) {
      Watch& watch = i < kChangeAt ? first : second;
      const graph::Time time = graph::Time::Milliseconds(40 * i);
      const std::string name = "frame " + std::to_string(i);
      if (!watch.Push(NextFrame(i), time, name)) return;
      if (i == kCancelled) watch.Cancel(time);
      if (i + 1 == kChangeAt) first.Close();
    }
    second.Close();
  }

 private:
  Image NextFrame(int number) {
    free_.acquire();
    size_t idx = 0;
    while (in_use_[idx].exchange(true)) ++idx;
    std::vector<uint8_t>& pixels = buffers_[idx];
    for (size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = static_cast<uint8_t>(i / 3 % kWidth + static_cast<size_t>(number));
    }
    return percept::nodes::WrapPixels({pixels.data(), kWidth, kHeight, kWidth * 3}, [this, idx] {
      in_use_[idx].store(false);
      free_.release();
    });
  }

  std::array<std::vector<uint8_t>, kNumBuffers> buffers_;
  std::array<std::atomic<bool>, kNumBuffers> in_use_{};
  std::counting_semaphore<> free_{kNumBuffers};
};

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: embed MODEL_FOLDER\n");
    return 2;
  }
  try {
    percept::nodes::Runtime runtime({.default_model = argv[1]});
    Tally before, after;
    Camera camera;
    {
      Watch first(runtime, "What is in the picture?", before), second(runtime, "Which colour is it?", after);
      std::thread thread([&] { camera.Shoot(first, second); });
      thread.join();
      first.Wait();
      second.Wait();
    }
    std::printf("first prompt: %d answered, %d cancelled\n", before.num_answered.load(), before.num_failed.load());
    std::printf("second prompt: %d answered, %d cancelled\n", after.num_answered.load(), after.num_failed.load());
    const percept::Generation answer = runtime.OpenModel("").Generate(
        {.prompt = "Say a word.", .max_tokens = 4},
        [](std::string_view piece) { std::printf("[%.*s]", static_cast<int>(piece.size()), piece.data()); });
    std::printf("\nwithout a graph: %d tokens\n", static_cast<int>(answer.stats.num_output_tokens));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "embed: %s\n", error.what());
    return 3;
  }
}
