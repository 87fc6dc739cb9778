// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "graph/node/node.h"

namespace percept::graph {

// The NodeContext of a source on a thread of its own. Once it is closed, every function but cancelled() throws: the
// run, and what the program lent it, may be gone.
class GatedContext : public NodeContext {
 public:
  // `mutex` is locked around each call of `context`.
  GatedContext(NodeContext& context, std::mutex& mutex) : context_(context), mutex_(mutex) {}
  // With the lock.
  void Close() { closed_ = true; }
  bool closed() const { return closed_; }

  const InputSet& inputs() const override { return Pass()->inputs(); }
  void Send(std::string_view port, Packet packet) override { Pass()->Send(port, std::move(packet)); }
  void Send(std::string_view port, Packet packet, const Pending& work) override {
    Pass()->Send(port, std::move(packet), work);
  }
  bool CanSend(std::string_view port) const override { return Pass()->CanSend(port); }
  bool IsRead(std::string_view port) const override { return Pass()->IsRead(port); }
  void SetBound(std::string_view port, Time time) override { Pass()->SetBound(port, time); }
  void SendError(ErrorKind kind, std::string reason) override { Pass()->SendError(kind, std::move(reason)); }
  void SendError(ErrorKind kind, std::string reason, const Pending& work) override {
    Pass()->SendError(kind, std::move(reason), work);
  }
  void SendError(ErrorKind kind, std::string reason, Time time, const ItemRef& item) override {
    Pass()->SendError(kind, std::move(reason), time, item);
  }
  void HoldBounds(Time time) override { Pass()->HoldBounds(time); }
  ItemRef NewItem(std::string label) override { return Pass()->NewItem(std::move(label)); }
  Pending Hold() override { return Pass()->Hold(); }
  Pending Hold(const ItemRef& item, Time time) override { return Pass()->Hold(item, time); }
  Time StartEpoch(Time at) override { return Pass()->StartEpoch(at); }
  Time start_time() const override { return Pass()->start_time(); }
  void CountRepair(std::string_view kind, int64_t num) override { Pass()->CountRepair(kind, num); }
  void EndChunk(std::string key) override { Pass()->EndChunk(std::move(key)); }
  std::optional<std::string> resume_chunk() const override { return Pass()->resume_chunk(); }
  std::optional<int64_t> committed_position() const override { return Pass()->committed_position(); }
  StateAccount& state() override { return Pass()->state(); }
  Waker waker() override { return Pass()->waker(); }
  Duration Now() const override { return Pass()->Now(); }
  void WakeAt(Duration run_time) override { Pass()->WakeAt(run_time); }
  bool cancelled() const override;
  bool run_failed() const override { return Pass()->run_failed(); }
  const Services& services() const override { return Pass()->services(); }
  const GraphLimits& limits() const override { return Pass()->limits(); }
  const std::string& name() const override { return Pass()->name(); }

 private:
  // Holds the lock for one call.
  class Passage {
   public:
    explicit Passage(const GatedContext& gate);
    NodeContext* operator->() const { return &context_; }

   private:
    const std::lock_guard<std::mutex> lock_;
    NodeContext& context_;
  };
  Passage Pass() const { return Passage(*this); }

  NodeContext& context_;
  std::mutex& mutex_;
  bool closed_ = false;
};

}  // namespace percept::graph
