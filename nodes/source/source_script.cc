// SPDX-License-Identifier: Apache-2.0
//
//   talk:
//     type: source.script
//     items:
//       - { t: 0ms, text: hello, fields: { person: true } }
//       - { wait: 20ms, t: 40ms, error: cut short, item: second }
//       - { epoch: 1s, t: 0ms, text: again }
//   many: { type: source.script, count: 1000, interval: 40ms, text: frame }
//
// Sends what its lines say, to try pipelines out and to test them: texts with named values, errors, pauses, faults.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "graph/node/registry.h"
#include "graph/node/source_order.h"
#include "graph/packet/clock_unwrap.h"
#include "nodes/source/script.h"

namespace percept::nodes {
namespace {

using graph::Duration;
using graph::NodeContext;
using graph::Packet;
using graph::ParamDecl;
using graph::ParamType;
using graph::ParamValues;
using graph::Time;

GeneratedScript ReadGenerated(const ParamValues& params) {
  GeneratedScript script;
  if (params.Has("count")) script.count = params.Get<int64_t>("count");
  script.interval = params.Get<Duration>("interval");
  if (params.Has("wait")) script.wait = params.Get<Duration>("wait");
  script.text = params.Get<std::string>("text");
  script.claimed_bytes = params.Get<int64_t>("payload_bytes");
  script.step_back_every = params.Get<int64_t>("step_back_every");
  script.step_back = params.Get<Duration>("step_back");
  script.chunk_every = params.Get<int64_t>("chunk_every");
  return script;
}

class SourceScript : public graph::Node {
 public:
  explicit SourceScript(const ParamValues& params)
      : generated_(ReadGenerated(params)),
        ticks_per_second_(params.Get<int64_t>("ticks_per_second")),
        unwrap_(static_cast<int>(params.Get<int64_t>("tick_bits"))),
        order_(params.Get<Duration>("disorder")) {
    if (params.Has("items")) lines_ = ReadScript(params.Get<graph::Value>("items"));
  }

  void Open(NodeContext& context) override {
    if (const std::optional<std::string> chunk = context.resume_chunk()) SkipPast(*chunk);
  }

  graph::Process Process(NodeContext& context) override {
    if (!has_begun_) Begin(context.start_time());
    if (SendOne(&context)) return graph::Process::kHaveOutput;
    if (!line_ && !TakeLine()) {
      if (order_.empty()) return graph::Process::kFinished;
      order_.End();
      return graph::Process::kHaveOutput;
    }
    if (IsWaiting(context)) return graph::Process::kBlocked;
    Do(&context);
    return graph::Process::kHaveOutput;
  }

  void Close() override { waker_ = {}; }

 private:
  // Where the timeline begins, which a run that is resumed does not move.
  void Begin(Time start) {
    has_begun_ = true;
    epoch_start_ = epoch_start_ + (start - start_);
    start_ = start;
  }

  bool TakeLine() {
    const bool is_generated = lines_.empty();
    const int64_t num_lines = is_generated ? generated_.count : static_cast<int64_t>(lines_.size());
    if (next_ == num_lines) return false;
    line_ = is_generated ? generated_.Line(next_) : lines_[static_cast<size_t>(next_)];
    ++next_;
    return true;
  }

  bool IsWaiting(NodeContext& context) {
    if (line_->wait) {
      if (!wake_at_) wake_at_ = context.Now() + *line_->wait;
      if (context.Now() < *wake_at_) {
        context.WakeAt(*wake_at_);
        return true;
      }
      wake_at_.reset();
      line_->wait.reset();
    }
    if (line_->blocks) waker_ = context.waker();
    return line_->blocks;
  }

  // What is left of the line, part by part; each is gone once it is done. Without a context nothing is sent: only the
  // timeline moves.
  void Do(NodeContext* context) {
    if (line_->epoch) {
      order_.End();
      if (order_.empty()) StartEpoch(context, *std::exchange(line_->epoch, std::nullopt));
      return;
    }
    if (line_->bound) {
      const Time bound = epoch_start_ + *std::exchange(line_->bound, std::nullopt);
      bound_ = std::max(bound_, bound);
      if (context) context->SetBound("out", bound);
    }
    if (line_->transient) {
      // What came before the fault belongs to the epoch before it.
      order_.End();
      if (!order_.empty()) return;
    }
    if (context) ThrowFault();
    if (line_->text || line_->error) {
      Take(context);
      return;
    }
    if (line_->chunk) {
      order_.End();
      if (!order_.empty()) return;
      if (context) context->EndChunk(*line_->chunk);
    }
    line_.reset();
  }

  void StartEpoch(NodeContext* context, Duration at) {
    unwrap_.Reset();
    const Time start = start_ + at;
    epoch_start_ = context ? context->StartEpoch(start) : std::max(bound_, start);
    bound_ = std::max(bound_, epoch_start_);
  }

  void ThrowFault() {
    if (line_->transient && line_->times > 0) {
      --line_->times;
      throw graph::TransientError(*line_->transient);
    }
    if (line_->thrown) throw std::runtime_error(*line_->thrown);
  }

  Time TimeOfLine() {
    if (!line_->ticks) return epoch_start_ + *line_->t;
    const int64_t ticks = unwrap_.Unwrap(static_cast<uint64_t>(*line_->ticks));
    constexpr int64_t kNsPerSecond = 1'000'000'000;
    return epoch_start_ + Duration::Nanoseconds(ticks / ticks_per_second_ * kNsPerSecond +
                                                ticks % ticks_per_second_ * kNsPerSecond / ticks_per_second_);
  }

  // The line's packet or error, into the order.
  void Take(NodeContext* context) {
    const Time time = TimeOfLine();
    graph::Origin origin;
    if (context) origin.item = context->NewItem(line_->item.empty() ? time.ToString() : line_->item);
    Packet packet = line_->error
                        ? Packet::MakeError({.kind = graph::ErrorKind::kBadInput, .reason = *line_->error}, time)
                        : Packet::Make(std::move(*line_->text), time).WithDuration(line_->duration);
    packet = std::move(packet).WithOrigin(origin);
    line_->error.reset();
    line_->text.reset();
    const graph::SourceOrder::Place place = order_.Take(std::move(packet));
    if (place == graph::SourceOrder::Place::kRepaired && context) context->CountRepair("reordered", 1);
    if (place == graph::SourceOrder::Place::kLate) {
      bound_ = bound_.Next();
      if (!context) return;
      context->CountRepair("late", 1);
      context->SendError(graph::ErrorKind::kBadInput, "out of order: " + time.ToString() + " after " + last_.ToString(),
                         time, origin.item);
      return;
    }
    SendOne(context);
  }

  bool SendOne(NodeContext* context) {
    std::optional<Packet> packet = order_.Next();
    if (!packet) return false;
    last_ = packet->timestamp();
    bound_ = std::max(bound_, last_).Next();
    if (!context) return true;
    if (packet->is_error()) {
      const auto& error = packet->Get<graph::ErrorPayload>();
      context->SendError(error.kind, error.reason, last_, packet->origin().item);
    } else {
      context->Send("out", std::move(*packet));
    }
    return true;
  }

  void SkipPast(const std::string& chunk) {
    while (TakeLine()) {
      const bool is_last = line_->chunk == chunk;
      while (line_) {
        Do(nullptr);
        while (SendOne(nullptr)) {
        }
      }
      if (is_last) return;
    }
    throw std::runtime_error("the script has no chunk '" + chunk + "' to go on after");
  }

  const GeneratedScript generated_;
  std::vector<ScriptLine> lines_;
  const int64_t ticks_per_second_;
  graph::ClockUnwrap unwrap_;
  graph::SourceOrder order_;
  int64_t next_ = 0;
  std::optional<ScriptLine> line_;  // what is left to do of it
  std::optional<Duration> wake_at_;
  graph::Waker waker_;      // of a line that blocks
  bool has_begun_ = false;  // Process was called
  Time start_ = Time::Nanoseconds(0), epoch_start_ = start_;
  Time last_ = Time::Min();   // of what was sent
  Time bound_ = Time::Min();  // of the output, to skip lines with
};

void CheckTicks(const graph::Value& items, int64_t tick_bits) {
  const std::vector<ScriptLine> lines = ReadScript(items);
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::optional<int64_t>& ticks = lines[i].ticks;
    if (!ticks || (static_cast<uint64_t>(*ticks) >> tick_bits) == 0) continue;
    throw graph::DefinitionError(items.items()[i].position(), "'ticks' is " + std::to_string(*ticks) +
                                                                  ", which a counter of " + std::to_string(tick_bits) +
                                                                  " bits (tick_bits) does not reach");
  }
}

void CheckLines(const ParamValues& params) {
  const bool has_items = params.Has("items");
  if (has_items && params.Has("count")) {
    throw graph::DefinitionError(params.PositionOf("count"), "'count' makes lines of its own; there are 'items' too");
  }
  if (!has_items && !params.Has("count")) throw graph::DefinitionError({}, "needs 'items', or a 'count' of texts");
  if (has_items) {
    CheckTicks(params.Get<graph::Value>("items"), params.Get<int64_t>("tick_bits"));
  } else if (params.Get<Duration>("interval") == Duration()) {
    throw graph::DefinitionError(params.PositionOf("interval"),
                                 "'interval' must be more than 0: of texts of one time, all but the first come late");
  }
}

std::vector<ParamDecl> Params() {
  return {
      {.name = "items",
       .type = ParamType::kAny,
       .doc = "lines, each a map: wait (run clock), epoch (start), bound, transient (fault that goes away, 'times' "
              "times), throw, block, t or ticks with text, fields, bytes, duration, item or error, chunk (end)"},
      {.name = "count", .type = ParamType::kInt, .doc = "instead of items: so many texts", .min = 0},
      ParamDecl{.name = "interval", .type = ParamType::kDuration, .doc = "from one of them to the next", .min = 0}
          .Default("40ms"),
      {.name = "wait", .type = ParamType::kDuration, .doc = "on the run clock before each but the first", .min = 0},
      ParamDecl{.name = "text", .doc = "of each, followed by its number"}.Default(""),
      ParamDecl{
          .name = "payload_bytes", .type = ParamType::kBytes, .doc = "that each counts for beside its text", .min = 0}
          .Default("0"),
      ParamDecl{
          .name = "step_back_every", .type = ParamType::kInt, .doc = "each so many, one is early; 0: none", .min = 0}
          .Default("0"),
      ParamDecl{.name = "step_back", .type = ParamType::kDuration, .doc = "how early that one is", .min = 0}.Default(
          "40ms"),
      ParamDecl{.name = "chunk_every", .type = ParamType::kInt, .doc = "a chunk ends after so many; 0: none", .min = 0}
          .Default("0"),
      ParamDecl{.name = "disorder",
                .type = ParamType::kDuration,
                .doc = "packets that come earlier than others by up to so much are put in order",
                .min = 0}
          .Default("0ms"),
      ParamDecl{.name = "tick_bits",
                .type = ParamType::kInt,
                .doc = "where the counter of 'ticks' wraps",
                .min = 2,
                .max = 63}
          .Default("33"),
      ParamDecl{
          .name = "ticks_per_second", .type = ParamType::kInt, .doc = "of that counter", .min = 1, .max = 1'000'000'000}
          .Default("90000"),
  };
}

graph::Timing TimingOf(const ParamValues& params) {
  graph::Timing timing{.holds_time = params.Get<Duration>("disorder")};
  if (params.Has("count")) timing.interval = params.Get<Duration>("interval");
  return timing;
}

graph::NodeType Script(const std::string& type, const std::string& doc, graph::SourceKind kind) {
  return {
      .contract = {.type = type,
                   .doc = doc,
                   .example = "talk: { type: " + type + ", items: [ { t: 0ms, text: hello } ] }",
                   .outputs = {{.name = "out", .type = "Text", .doc = "the texts"}},
                   .params = Params(),
                   .source = kind},
      .make = [](const ParamValues& params, const graph::Services&) { return std::make_unique<SourceScript>(params); },
      .check = [](const ParamValues& params, const std::vector<std::string>&) { CheckLines(params); },
      .timing = TimingOf};
}

}  // namespace

void RegisterSourceScript(graph::Registry* registry) {
  registry->Register(Script("source.script", "Sends what its lines say: for tests and for trying pipelines out.",
                            graph::SourceKind::kBatch));
  registry->Register(Script("source.script_live", "source.script as a live source, which does not wait for the graph.",
                            graph::SourceKind::kLive));
}

}  // namespace percept::nodes
