// SPDX-License-Identifier: Apache-2.0
//
//   out: { type: app.sink, in: say.record, name: answers, payload: Record }
//
// Hands what comes to the AppSink that the program lends under this name: packets and errors, in order.
#include "nodes/app/app_sink.h"

#include <algorithm>

#include "graph/node/registry.h"
#include "kernels/core/error.h"
#include "nodes/app/app_ports.h"

namespace percept::nodes {

PopResult AppSinkQueue::Pop(graph::Packet* packet, std::chrono::nanoseconds timeout) {
  graph::Waker waker;
  {
    std::unique_lock lock(mutex_);
    constexpr std::chrono::nanoseconds kForEver =
        std::chrono::hours(24 * 365 * 100);  // a clock can still be added to it
    if (!changed_.wait_for(lock, std::min(timeout, kForEver), [this] { return !packets_.empty() || ended_; }))
      return PopResult::kTimeout;
    if (packets_.empty()) return PopResult::kEnded;
    *packet = std::move(packets_.front());
    packets_.pop_front();
    waker = std::exchange(waker_, {});
  }
  if (waker) waker.Wake();
  return PopResult::kPacket;
}

void AppSinkQueue::Leave() {
  std::deque<graph::Packet> packets;
  graph::Waker waker;
  {
    const std::lock_guard lock(mutex_);
    is_left_ = true;
    packets = std::exchange(packets_, {});
    waker = std::exchange(waker_, {});
  }
  if (waker) waker.Wake();
}

void AppSinkQueue::Claim(size_t capacity) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(claimed_, true)) throw ArgumentError("sink '" + name_ + "' is used by another node");
  capacity_ = capacity;
}

bool AppSinkQueue::Deliver(const graph::Packet& packet, const std::function<graph::Waker()>& waker) {
  if (on_packet_) {
    on_packet_(packet);
    return true;
  }
  const std::lock_guard lock(mutex_);
  if (is_left_) return true;
  if (packets_.size() == capacity_) {
    waker_ = waker();
    return false;
  }
  packets_.push_back(packet);
  changed_.notify_one();
  return true;
}

void AppSinkQueue::End() {
  graph::Waker waker;
  const std::lock_guard lock(mutex_);
  ended_ = true;
  waker = std::exchange(waker_, {});
  changed_.notify_all();
}

namespace {

class AppSinkNode : public graph::Node {
 public:
  AppSinkNode(std::shared_ptr<AppSinkQueue> queue, size_t capacity) : queue_(std::move(queue)) {
    queue_->Claim(capacity);
  }
  ~AppSinkNode() override { queue_->End(); }

  graph::Process Process(graph::NodeContext& context) override {
    if (context.inputs().empty()) return graph::Process::kNeedInput;
    const bool delivered = queue_->Deliver(context.inputs().Get("in"), [&] { return context.waker(); });
    return delivered ? graph::Process::kNeedInput : graph::Process::kBlocked;
  }

  void Close() override { queue_->End(); }

 private:
  const std::shared_ptr<AppSinkQueue> queue_;
};

}  // namespace

void RegisterAppSink(graph::Registry* registry) {
  graph::Contract contract{
      .type = "app.sink",
      .doc = "Hands what comes, errors included, to the program.",
      .example = "out: { type: app.sink, in: say.record, name: answers, payload: Record }",
      .inputs = {{.name = "in", .doc = "what the program wants", .type_param = "payload"}},
      .params = {{.name = "name", .doc = "of the sink that the program lends", .required = true},
                 {.name = "payload", .doc = "type of what comes: Record, Image, Text, ...", .required = true},
                 graph::ParamDecl{.name = "packets",
                                  .type = graph::ParamType::kInt,
                                  .doc = "how many may wait for the program before the graph waits",
                                  .min = 1}
                     .Default("8")},
      .accepts_errors = true,
  };
  registry->Register({.contract = std::move(contract),
                      .make =
                          [](const graph::ParamValues& params, const graph::Services& services) {
                            return std::make_unique<AppSinkNode>(FindAppPort<AppSinkQueue>(params, services),
                                                                 static_cast<size_t>(params.Get<int64_t>("packets")));
                          },
                      .state =
                          [](const graph::ParamValues& params) {
                            return graph::StateBound{.items = params.Get<int64_t>("packets")};
                          }});
}

}  // namespace percept::nodes
