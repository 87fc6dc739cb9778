// SPDX-License-Identifier: Apache-2.0
// app.source and app.sink: a program at both ends of a graph.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "kernels/core/error.h"
#include "nodes/app/app_ports.h"
#include "nodes/payload/image.h"
#include "nodes/payload/record.h"
#include "nodes/payload/text_delta.h"
#include "nodes/source/picture_decoder.h"
#include "tests/nodes/node_run.h"

// A payload type of a program's own.
struct Reading {
  int64_t value = 0;
  std::shared_ptr<int> owner;
};

template <>
struct percept::graph::PayloadTraits<Reading> {
  static constexpr const char* kName = "Reading";
  static size_t Bytes(const Reading&) { return sizeof(Reading); }
};

namespace percept::nodes {
namespace {

using graph::Time;

constexpr std::chrono::seconds kLong{100};  // that no test waits for

constexpr char kThrough[] =
    "  in: { type: app.source, name: readings, payload: Reading, packets: 2, in_flight: 1 }\n"
    "  out: { type: app.sink, in: in, name: results, payload: Reading, packets: 2 }\n";

class AppTest : public testing::Test {
 protected:
  // A graph with what `ports_` lends.
  std::unique_ptr<graph::Graph> Make(const std::string& nodes) {
    services_ = runtime_.services();
    services_.Add(ports_);
    return std::make_unique<graph::Graph>(CheckNodes(nodes, runtime_.registry()), runtime_.executor(), services_);
  }
  // Both ends lent, and what joins them.
  std::unique_ptr<graph::Graph> MakeThrough(AppSource<Reading>& readings, AppSink<Reading>& results) {
    ports_.Lend(readings);
    ports_.Lend(results);
    return Make(kThrough);
  }
  std::string WhyNotMade(const std::string& nodes) {
    try {
      Make(nodes);
    } catch (const graph::DefinitionError& error) {
      return error.what();
    }
    return "";
  }

  Runtime runtime_{TestOptions()};
  AppPorts ports_;
  graph::Services services_;
};

Reading Number(int64_t value) { return {.value = value, .owner = nullptr}; }

TEST_F(AppTest, TheLastCopyClosesTheSource) {
  auto readings = std::make_unique<AppSource<Reading>>("readings");
  AppSink<Reading> results("results");
  ports_.Lend(*readings);
  ports_.Lend(results);
  const auto graph = Make(kThrough);
  graph->Start();
  auto copy = std::make_unique<AppSource<Reading>>(*readings);
  readings.reset();
  ASSERT_EQ(copy->Push(Number(1), Time::Milliseconds(1)), PushResult::kAccepted);
  copy.reset();
  EXPECT_EQ(graph->Wait().status, graph::RunStatus::kFinished);
  Arrival<Reading> arrival;
  ASSERT_EQ(results.Pop(&arrival, kLong), PopResult::kPacket);
  EXPECT_EQ(arrival.value().value, 1);
}

TEST_F(AppTest, WhatNobodyCanPopIsLetGoOf) {
  AppSource<Reading> readings("readings");
  auto results = std::make_unique<AppSink<Reading>>("results");
  ports_.Lend(readings);
  ports_.Lend(*results);
  const auto graph = Make(
      "  in: { type: app.source, name: readings, payload: Reading, packets: 2 }\n"
      "  out: { type: app.sink, in: in, name: results, payload: Reading, packets: 1 }\n");
  graph->Start();
  ASSERT_EQ(readings.Push(Number(1), Time::Milliseconds(1)), PushResult::kAccepted);
  ASSERT_EQ(readings.Push(Number(2), Time::Milliseconds(2)), PushResult::kAccepted);
  readings.Close();
  results.reset();  // one of them at least waits for room
  EXPECT_EQ(graph->Wait().status, graph::RunStatus::kFinished);
}

TEST_F(AppTest, WhatIsPushedComesOutInOrder) {
  std::counting_semaphore<> room(0);
  AppSource<Reading> readings("readings", [&] { room.release(); });
  AppSink<Reading> results("results");
  const auto graph = MakeThrough(readings, results);
  graph->Start();
  std::thread program([&] {
    for (int64_t i = 0; i < 50;) {
      if (readings.Push(Number(i), Time::Milliseconds(i), "item " + std::to_string(i)) == PushResult::kAccepted) {
        ++i;
      } else {
        room.acquire();
      }
    }
    readings.Close();
  });
  Arrival<Reading> arrival;
  for (int64_t i = 0; i < 50; ++i) {
    ASSERT_EQ(results.Pop(&arrival, kLong), PopResult::kPacket);
    EXPECT_EQ(arrival.value().value, i);
    EXPECT_EQ(arrival.time(), Time::Milliseconds(i));
    EXPECT_EQ(arrival.item(), "item " + std::to_string(i));
  }
  EXPECT_EQ(results.Pop(&arrival, kLong), PopResult::kEnded);
  program.join();
  EXPECT_EQ(graph->Wait().status, graph::RunStatus::kFinished);
  EXPECT_EQ(readings.Push(Number(9), Time::Seconds(9)), PushResult::kClosed);
}

TEST_F(AppTest, APushThatDoesNotFitIsRefusedAndKeepsItsPayload) {
  std::atomic<int> num_told{0};
  AppSource<Reading> readings("readings", [&] { ++num_told; });
  AppSink<Reading> results("results");
  ports_.Lend(readings);
  ports_.Lend(results);
  Reading reading{.value = 1, .owner = std::make_shared<int>(7)};
  Reading& kept = reading;                                                            // what was not taken
  EXPECT_EQ(readings.Push(std::move(reading), Time::Seconds(1)), PushResult::kFull);  // no graph yet
  EXPECT_NE(kept.owner, nullptr);
  const auto graph = Make(kThrough);  // not started: nothing is taken
  EXPECT_EQ(num_told, 1);
  EXPECT_EQ(readings.Push(std::move(kept), Time::Seconds(1)), PushResult::kAccepted);
  EXPECT_EQ(readings.Push(Number(2), Time::Seconds(2)), PushResult::kAccepted);
  EXPECT_EQ(readings.Push(Number(3), Time::Seconds(3)), PushResult::kFull);
  EXPECT_EQ(readings.Push(Number(3), Time::Seconds(3)), PushResult::kFull);
  graph->Start();
  Arrival<Reading> arrival;
  ASSERT_EQ(results.Pop(&arrival, kLong), PopResult::kPacket);
  EXPECT_EQ(arrival.item(), "readings[0]");
  ASSERT_EQ(results.Pop(&arrival, kLong), PopResult::kPacket);
  EXPECT_EQ(num_told, 2);
  EXPECT_EQ(readings.Push(Number(3), Time::Seconds(3)), PushResult::kAccepted);
}

TEST_F(AppTest, PopWaitsNoLongerThanItIsTold) {
  AppSink<Reading> results("results");
  Arrival<Reading> arrival;
  EXPECT_EQ(results.Pop(&arrival, std::chrono::nanoseconds(0)), PopResult::kTimeout);
}

TEST_F(AppTest, PopWaitsAsLongAsItTakes) {
  AppSource<Reading> readings("readings");
  AppSink<Reading> results("results");
  const auto graph = MakeThrough(readings, results);
  auto result = std::async(std::launch::async, [&] {
    Arrival<Reading> arrival;
    return results.Pop(&arrival, std::chrono::nanoseconds::max());
  });
  graph->Start();
  EXPECT_EQ(result.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  readings.Push(Number(1), Time::Seconds(1));
  EXPECT_EQ(result.get(), PopResult::kPacket);
  readings.Close();
}

TEST_F(AppTest, ADrainLetsThroughWhatWasAccepted) {
  AppSource<Reading> readings("readings");
  AppSink<Reading> results("results");
  const auto graph = MakeThrough(readings, results);
  ASSERT_EQ(readings.Push(Number(1), Time::Seconds(1)), PushResult::kAccepted);
  ASSERT_EQ(readings.Push(Number(2), Time::Seconds(2)), PushResult::kAccepted);
  graph->Drain(graph::Duration::Seconds(100));
  graph->Start();
  Arrival<Reading> arrival;
  for (const int64_t value : {1, 2}) {
    ASSERT_EQ(results.Pop(&arrival, kLong), PopResult::kPacket);
    EXPECT_EQ(arrival.value().value, value);
  }
  EXPECT_EQ(results.Pop(&arrival, kLong), PopResult::kEnded);
  EXPECT_EQ(graph->Wait().status, graph::RunStatus::kDrained);
  EXPECT_EQ(readings.num_dropped(), 0);
  EXPECT_EQ(readings.Push(Number(3), Time::Seconds(3)), PushResult::kClosed);
}

TEST_F(AppTest, WhoWaitsForRoomIsToldOfTheEnd) {
  for (const bool starts : {true, false}) {
    for (const bool closes : {true, false}) {
      SCOPED_TRACE(testing::Message() << (starts ? "started, " : "") << (closes ? "closed" : "cancelled"));
      std::atomic<int> num_told{0};
      AppPorts ports;
      AppSource<Reading> readings("readings", [&] { ++num_told; });
      AppSink<Reading> results("results");
      ports.Lend(readings);
      ports.Lend(results);
      graph::Services services = runtime_.services();
      services.Add(ports);
      auto graph =
          std::make_unique<graph::Graph>(CheckNodes(kThrough, runtime_.registry()), runtime_.executor(), services);
      for (const int64_t value : {1, 2}) {
        ASSERT_EQ(readings.Push(Number(value), Time::Seconds(value)), PushResult::kAccepted);
      }
      ASSERT_EQ(readings.Push(Number(3), Time::Seconds(3)), PushResult::kFull);
      ASSERT_EQ(num_told, 0);
      closes ? readings.Close() : graph->Cancel();
      EXPECT_EQ(num_told, closes ? 1 : 0);
      if (starts) {
        graph->Start();
        graph->Wait();
      }
      graph.reset();
      EXPECT_EQ(num_told, 1);
      EXPECT_EQ(readings.num_dropped(), closes && starts ? 0 : 2);
      EXPECT_EQ(readings.Push(Number(3), Time::Seconds(3)), PushResult::kClosed);
    }
  }
}

TEST_F(AppTest, NobodyIsToldOfTheEndOnceTheLastCopyIsGone) {
  int num_told = 0;
  auto readings = std::make_unique<AppSource<Reading>>("readings", [&] { ++num_told; });
  AppSink<Reading> results("results");
  ports_.Lend(*readings);
  ports_.Lend(results);
  auto graph = Make(kThrough);
  for (const int64_t value : {1, 2, 3}) readings->Push(Number(value), Time::Seconds(value));
  readings.reset();
  graph.reset();
  EXPECT_EQ(num_told, 0);
}

TEST_F(AppTest, CallsAFunctionInsteadOfKeeping) {
  std::vector<int64_t> values;
  AppSource<Reading> readings("readings");
  AppSink<Reading> results("results",
                           [&](const Arrival<Reading>& arrival) { values.push_back(arrival.value().value); });
  const auto graph = MakeThrough(readings, results);
  EXPECT_EQ(readings.Push(Number(4), Time::Seconds(1)), PushResult::kAccepted);
  EXPECT_EQ(readings.Push(Number(5), Time::Seconds(2)), PushResult::kAccepted);
  readings.Close();
  EXPECT_EQ(readings.Push(Number(6), Time::Seconds(3)), PushResult::kClosed);
  EXPECT_EQ(graph->Run().status, graph::RunStatus::kFinished);
  EXPECT_THAT(values, testing::ElementsAre(4, 5));
}

// A sink that keeps the item of what comes, with the reason of an error.
AppSink<Reading> NamesInto(std::vector<std::string>* lines) {
  return AppSink<Reading>("results", [lines](const Arrival<Reading>& arrival) {
    lines->push_back(arrival.is_error() ? arrival.item() + ": " + arrival.error().reason : arrival.item());
  });
}

TEST_F(AppTest, ATimeThatDoesNotRiseIsAnErrorAtTheFarEnd) {
  std::vector<std::string> lines;
  AppSource<Reading> readings("readings");
  AppSink<Reading> results = NamesInto(&lines);
  const auto graph = MakeThrough(readings, results);
  readings.Push(Number(0), Time::Seconds(2));
  readings.Push(Number(1), Time::Seconds(1));
  readings.Close();
  EXPECT_EQ(graph->Run().num_failed_items, 1u);
  EXPECT_THAT(lines, testing::ElementsAre("readings[0]",
                                          "readings[1]: out of order: a packet at 1s came on output "
                                          "'out' after its bound had passed to 2.000000001s"));
  EXPECT_THROW(readings.Push(Number(1), Time::Max()), std::logic_error);
}

TEST_F(AppTest, CancelsOneThatWaits) {
  std::vector<std::string> lines;
  AppSource<Reading> readings("readings");
  AppSink<Reading> results = NamesInto(&lines);
  const auto graph = MakeThrough(readings, results);
  readings.Push(Number(0), Time::Seconds(1));
  readings.Push(Number(1), Time::Seconds(2));
  EXPECT_TRUE(readings.Cancel(Time::Seconds(1)));
  EXPECT_FALSE(readings.Cancel(Time::Seconds(3)));
  readings.Close();
  graph->Run();
  EXPECT_THAT(lines, testing::ElementsAre("readings[0]: cancelled", "readings[1]"));
  EXPECT_FALSE(readings.Cancel(Time::Seconds(2)));
}

TEST_F(AppTest, TheGraphsEndLetsGoOfWhatWaits) {
  auto owner = std::make_shared<int>(1);
  AppSource<Reading> readings("readings");
  AppSink<Reading> results("results");
  auto graph = MakeThrough(readings, results);
  readings.Push({.value = 1, .owner = owner}, Time::Seconds(1));
  graph.reset();  // was never started
  EXPECT_EQ(owner.use_count(), 1);
  EXPECT_EQ(readings.Push(Number(2), Time::Seconds(2)), PushResult::kClosed);
  Arrival<Reading> arrival;
  EXPECT_EQ(results.Pop(&arrival, kLong), PopResult::kEnded);
}

TEST_F(AppTest, CancelEndsAGraphThatWaitsForTheProgram) {
  AppSource<Reading> readings("readings");
  AppSink<Reading> results("results");
  const auto graph = MakeThrough(readings, results);
  graph->Start();
  readings.Push(Number(1), Time::Seconds(1));
  Arrival<Reading> arrival;
  ASSERT_EQ(results.Pop(&arrival, kLong), PopResult::kPacket);
  graph->Cancel();
  EXPECT_EQ(graph->Wait().status, graph::RunStatus::kCancelled);
  EXPECT_EQ(readings.Push(Number(2), Time::Seconds(2)), PushResult::kClosed);
}

TEST_F(AppTest, SaysWhatIsNotLent) {
  EXPECT_EQ(Refusal("  in: { type: app.source, payload: Image }\n  out: { type: sink.text, in: in }\n", runtime_),
            "test.yaml:3:3: node 'in' (app.source) lacks its parameter 'name' (string)");
  const std::string mistyped =
      "  in: { type: app.source, name: readnigs, payload: Reading }\n"
      "  out: { type: app.sink, in: in, name: results, payload: Reading }\n";
  graph::Graph* none = nullptr;
  try {
    none = new graph::Graph(CheckNodes(kThrough, runtime_.registry()), runtime_.executor(), runtime_.services());
    FAIL() << "made" << none;
  } catch (const graph::DefinitionError& error) {
    EXPECT_STREQ(error.what(),
                 "test.yaml:3:33: this program lends no sources, so none named 'readings': the node is for programs "
                 "that do");
  }
  AppSource<Reading> readings("readings");
  AppSource<Image> second("readings");
  AppSink<Image> results("results");
  ports_.Lend(readings);
  EXPECT_THROW(ports_.Lend(second), ArgumentError);
  ports_.Lend(results);
  EXPECT_EQ(WhyNotMade(mistyped), "test.yaml:3:33: the program lends no source 'readnigs'; nearest: readings");
  EXPECT_EQ(WhyNotMade(kThrough), "test.yaml:4:58: the program's sink 'results' is for Image, not Reading");
}

TEST_F(AppTest, TheTwoEndsOfAnEdgeAgreeBeforeAnythingStarts) {
  EXPECT_EQ(Refusal("  in: { type: app.source, name: frames, payload: Image }\n"
                    "  out: { type: app.sink, in: in, name: answers, payload: Record }\n",
                    runtime_),
            "test.yaml:4:30: input 'in' of node 'out' (app.sink) takes Record, but output 'out' of node 'in' "
            "(app.source) at test.yaml:3:3 gives Image");
}

TEST_F(AppTest, OneEndServesOneNode) {
  AppSource<Reading> readings("readings");
  AppSink<Reading> results("results");
  const auto graph = MakeThrough(readings, results);
  EXPECT_THAT(WhyNotMade(kThrough), testing::HasSubstr("source 'readings' is used by another node"));
}

TEST_F(AppTest, PicturesInTheProgramsOwnBufferAreReadAndReleased) {
  constexpr int64_t kSide = 96;
  const std::vector<uint8_t> buffer(kSide * kSide * 3, 128);
  std::promise<void> released;
  AppSource<Image> frames("frames");
  AppSink<Record> answers("answers");
  ports_.Lend(frames);
  ports_.Lend(answers);
  const auto graph = Make(
      "  in: { type: app.source, name: frames, payload: Image }\n"
      "  see: { type: encode.vision, in: in, budget: 70 }\n"
      "  say: { type: decode.gemma4, in: see, prompt: What is it, max_tokens: 2 }\n"
      "  out: { type: app.sink, in: say.record, name: answers, payload: Record }\n");
  graph->Start();
  ASSERT_EQ(frames.Push(WrapPixels(
                            {buffer.data(), kSide, kSide, kSide * 3}, [&] { released.set_value(); }, "mine"),
                        Time::Seconds(1), "frame 1"),
            PushResult::kAccepted);
  Arrival<Record> arrival;
  ASSERT_EQ(answers.Pop(&arrival, kLong), PopResult::kPacket);
  EXPECT_EQ(arrival.value().item, "frame 1");
  EXPECT_EQ(arrival.value().answer->pictures.at(0).source, "mine");
  EXPECT_EQ(released.get_future().wait_for(kLong), std::future_status::ready);
  frames.Close();
  EXPECT_EQ(graph->Wait().status, graph::RunStatus::kFinished);
}

TEST_F(AppTest, FramesThatAreNoPicturesFailAlone) {
  constexpr int64_t kSide = 48;
  const std::vector<uint8_t> buffer(kSide * kSide * 3, 128);
  AppSource<Image> frames("frames");
  AppSink<Record> answers("answers");
  ports_.Lend(frames);
  ports_.Lend(answers);
  const auto graph = Make(
      "  in: { type: app.source, name: frames, payload: Image }\n"
      "  see: { type: encode.vision, in: in, budget: 70 }\n"
      "  say: { type: decode.gemma4, in: see, prompt: What is it, max_tokens: 2 }\n"
      "  out: { type: app.sink, in: say.record, name: answers, payload: Record }\n");
  graph->Start();
  std::vector<std::string> lines;
  for (int i = 0; i < 10; ++i) {
    const bool is_good = i % 2 == 0;
    const RgbView frame{i % 4 == 1 ? nullptr : buffer.data(), kSide, kSide, is_good ? kSide * 3 : kSide};
    ASSERT_EQ(frames.Push(WrapPixels(frame, [] {}), Time::Seconds(i), std::to_string(i)), PushResult::kAccepted);
    Arrival<Record> arrival;
    ASSERT_EQ(answers.Pop(&arrival, kLong), PopResult::kPacket);
    lines.push_back(arrival.item() + ": " + (arrival.is_error() ? arrival.error().reason : "answered"));
  }
  frames.Close();
  const graph::RunResult result = graph->Wait();
  EXPECT_EQ(result.status, graph::RunStatus::kFinished);
  EXPECT_EQ(result.nodes.at(1).restarts, 0U);
  EXPECT_THAT(lines, testing::IsSupersetOf({"0: answered", "1: a picture of 48x48 pixels has no memory for them",
                                            "3: a picture of 48x48 pixels needs 144 bytes from row to row, not 48",
                                            "8: answered"}));
}

TEST(AppCancelTest, CancelsOneThatIsBeingAnswered) {
  RuntimeOptions options = TestOptions();
  options.num_workers = 1;  // the engine makes no step before every node has seen to what the last one brought
  Runtime runtime(std::move(options));
  AppSource<Image> frames("frames");
  std::vector<std::string> lines;
  AppSink<TextDelta> pieces("pieces", [&](const Arrival<TextDelta>& piece) { frames.Cancel(piece.time()); });
  AppSink<Record> answers("answers", [&](const Arrival<Record>& answer) {
    lines.push_back(answer.item() + ": " + (answer.is_error() ? answer.error().reason : "answered"));
  });
  AppPorts ports;
  ports.Lend(frames);
  ports.Lend(pieces);
  ports.Lend(answers);
  graph::Services services = runtime.services();
  services.Add(ports);
  graph::Graph graph(CheckNodes("  in: { type: app.source, name: frames, payload: Image }\n"
                                "  see: { type: encode.vision, in: in, budget: 70 }\n"
                                "  say: { type: decode.gemma4, in: see, prompt: Read all text in the image. }\n"
                                "  some: { type: app.sink, in: say.delta, name: pieces, payload: TextDelta }\n"
                                "  out: { type: app.sink, in: say.record, name: answers, payload: Record }\n",
                                runtime.registry()),
                     runtime.executor(), services);
  const DecodedPicture picture =
      DecodePictureFile((TestDataDir() / "tiny-samples" / "receipt.png").string(), InputLimits().picture_pixels);
  frames.Push(WrapPixels(picture.pixels.view(), [] {}), graph::Time::Seconds(1), "receipt");
  frames.Close();
  const graph::RunResult result = graph.Run();
  EXPECT_EQ(result.status, graph::RunStatus::kFinished);
  EXPECT_EQ(result.num_failed_items, 1u);
  EXPECT_THAT(lines, testing::ElementsAre("receipt: cancelled"));
}

}  // namespace
}  // namespace percept::nodes
