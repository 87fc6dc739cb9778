// SPDX-License-Identifier: Apache-2.0
//
//   camera: { type: app.source, name: frames, payload: Image }
//
// Sends what the program pushes into the AppSource that it lends under this name.
#include "nodes/app/app_source.h"

#include <algorithm>

#include "graph/node/registry.h"
#include "kernels/core/error.h"
#include "nodes/app/app_ports.h"

namespace percept::nodes {

PushResult AppSourceQueue::Admit() {
  if (closed_ || ended_) return PushResult::kClosed;
  if (entries_.size() < capacity_) return PushResult::kAccepted;
  refused_ = true;
  return PushResult::kFull;
}

void AppSourceQueue::WakeNode() {
  if (!waker_) return;
  const graph::Waker waker = std::exchange(waker_, {});
  waker.Wake();
}

void AppSourceQueue::Close() {
  bool tell = false;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    tell = std::exchange(refused_, false);
    WakeNode();
  }
  if (tell && on_room_) on_room_();
}

void AppSourceQueue::Leave() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  refused_ = false;
  WakeNode();
}

bool AppSourceQueue::Cancel(graph::Time time) {
  const std::lock_guard lock(mutex_);
  for (Entry& entry : entries_) {
    if (entry.packet.timestamp() == time) {
      entry.cancelled = true;
      return true;
    }
  }
  for (const auto& [item_time, weak_item] : at_work_) {
    const graph::ItemRef item = weak_item.lock();
    if (item_time == time && item) {
      item->Cancel();
      return true;
    }
  }
  return false;
}

void AppSourceQueue::Claim(size_t capacity) {
  bool tell = false;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(claimed_, true)) throw ArgumentError("source '" + name_ + "' is used by another node");
    capacity_ = capacity;
    tell = std::exchange(refused_, false);
  }
  if (tell && on_room_) on_room_();
}

AppSourceQueue::Next AppSourceQueue::Take(Entry* entry, const std::function<graph::Waker()>& waker) {
  bool tell = false;
  {
    const std::lock_guard lock(mutex_);
    if (entries_.empty()) {
      if (closed_) return Next::kEnded;
      waker_ = waker();
      return Next::kNothing;
    }
    *entry = std::move(entries_.front());
    entries_.pop_front();
    tell = std::exchange(refused_, false);
  }
  if (tell && on_room_) on_room_();
  return Next::kEntry;
}

void AppSourceQueue::AddAtWork(graph::Time time, const graph::ItemRef& item) {
  const std::lock_guard lock(mutex_);
  std::erase_if(at_work_, [](const auto& entry) { return entry.second.expired(); });
  at_work_.emplace_back(time, item);
}

void AppSourceQueue::End() {
  std::deque<Entry> entries;
  graph::Waker waker;
  bool tell = false;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    num_dropped_ += static_cast<int64_t>(entries_.size());
    entries.swap(entries_);
    waker = std::exchange(waker_, {});
    tell = std::exchange(refused_, false);
  }
  // Outside the lock: payloads call their release functions.
  entries.clear();
  if (tell && on_room_) on_room_();
}

int64_t AppSourceQueue::num_dropped() const {
  const std::lock_guard lock(mutex_);
  return num_dropped_;
}

namespace {

class AppSourceNode : public graph::Node {
 public:
  AppSourceNode(std::shared_ptr<AppSourceQueue> queue, size_t capacity) : queue_(std::move(queue)) {
    queue_->Claim(capacity);
  }
  ~AppSourceNode() override { queue_->End(); }

  graph::Process Process(graph::NodeContext& context) override {
    AppSourceQueue::Entry entry;
    switch (queue_->Take(&entry, [&] { return context.waker(); })) {
      case AppSourceQueue::Next::kNothing:
        return graph::Process::kBlocked;
      case AppSourceQueue::Next::kEnded:
        return graph::Process::kFinished;
      case AppSourceQueue::Next::kEntry:
        break;
    }
    // The program knows an item by the time that it gave, which counts from where the node's timeline begins.
    const graph::Time given = entry.packet.timestamp();
    const graph::Time time = context.start_time() + (given - graph::Time::Nanoseconds(0));
    const graph::ItemRef item = context.NewItem(std::move(entry.item));
    if (entry.cancelled) {
      context.SendError(graph::ErrorKind::kNode, "cancelled", time, item);
    } else {
      queue_->AddAtWork(given, item);
      context.Send("out", std::move(entry.packet).WithTimestamp(time));
    }
    return graph::Process::kHaveOutput;
  }

  // Nothing new is taken; what was accepted goes through.
  void Interrupt() override { queue_->Close(); }
  void Close() override { queue_->End(); }

 private:
  const std::shared_ptr<AppSourceQueue> queue_;
};

}  // namespace

void RegisterAppSource(graph::Registry* registry) {
  graph::Contract contract{
      .type = "app.source",
      .doc = "Sends what the program pushes into it.",
      .example = "camera: { type: app.source, name: frames, payload: Image }",
      .outputs = {{.name = "out", .doc = "one per push, each an item of its own", .type_param = "payload"}},
      .params = {{.name = "name", .doc = "of the source that the program lends", .required = true},
                 {.name = "payload", .doc = "type of what is pushed: Image, Text, ...", .required = true},
                 graph::ParamDecl{.name = "packets",
                                  .type = graph::ParamType::kInt,
                                  .doc = "how many may wait before a push is refused",
                                  .min = 1}
                     .Default("8")},
      .source = graph::SourceKind::kBatch,
      .drains = true,
  };
  registry->Register({.contract = std::move(contract),
                      .make =
                          [](const graph::ParamValues& params, const graph::Services& services) {
                            return std::make_unique<AppSourceNode>(FindAppPort<AppSourceQueue>(params, services),
                                                                   static_cast<size_t>(params.Get<int64_t>("packets")));
                          },
                      .state =
                          [](const graph::ParamValues& params) {
                            return graph::StateBound{.items = params.Get<int64_t>("packets")};
                          }});
}

}  // namespace percept::nodes
