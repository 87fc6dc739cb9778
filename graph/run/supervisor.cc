// SPDX-License-Identifier: Apache-2.0
#include "graph/run/supervisor.h"

#include <algorithm>
#include <utility>

#include "graph/node/condition.h"
#include "graph/node/node.h"
#include "graph/node/quantity.h"

namespace percept::graph {

std::string WhatOf(const std::exception_ptr& cause) {
  try {
    std::rethrow_exception(cause);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

Supervisor::Supervisor(const CheckedNode& node, size_t seed) : node_(node), random_(static_cast<unsigned>(seed) + 1) {}

Supervisor::Verdict Supervisor::OnException(const std::exception_ptr& cause, Call call, Duration now) {
  again_at_.reset();
  std::string reason = WhatOf(cause);
  try {
    std::rethrow_exception(cause);
  } catch (const MissingFieldError&) {
    if (call != Call::kWithSet) return OnNodeFault(ErrorKind::kNode, std::move(reason), call, now);
    const bool is_new = missing_.insert(reason).second;
    return {Action::kRefuseSet, ErrorKind::kBadInput, std::move(reason), "", is_new};
  } catch (const BadInputError&) {
    if (call == Call::kWithSet) return {Action::kRefuseSet, ErrorKind::kBadInput, std::move(reason), ""};
    return OnNodeFault(ErrorKind::kNode, std::move(reason), call, now);
  } catch (const TransientError&) {
    return OnTransient(std::move(reason), call, now);
  } catch (const DeviceError&) {
    return OnNodeFault(ErrorKind::kDevice, std::move(reason), call, now);
  } catch (...) {
    return OnNodeFault(ErrorKind::kNode, std::move(reason), call, now);
  }
}

Supervisor::Verdict Supervisor::OnTransient(std::string reason, Call call, Duration now) {
  if (call == Call::kReopen) return OnNodeFault(ErrorKind::kDevice, std::move(reason), call, now);
  const bool has_limit = node_.retry.limit > 0;
  if (!has_limit || num_tries_ < node_.retry.limit) {
    StartWait(now);
    return {Action::kRetry, ErrorKind::kTransient, std::move(reason), ""};
  }
  std::string times = " ";
  times += std::to_string(std::exchange(num_tries_, 0) + 1) + " times in a row";
  if (call == Call::kWithSet) return {Action::kRefuseSet, ErrorKind::kTransient, std::move(reason), ""};
  return {Action::kFail, ErrorKind::kTransient, std::move(reason), times};
}

Supervisor::Verdict Supervisor::OnNodeFault(ErrorKind kind, std::string reason, Call call, Duration now) {
  const bool is_inner = node_.contract.source == SourceKind::kNone && !node_.contract.outputs.empty();
  const bool can_reopen = call != Call::kReopen || kind == ErrorKind::kDevice;
  if (!is_inner || call == Call::kFlush || !can_reopen || node_.restart.limit == 0) {
    return {Action::kFail, kind, std::move(reason), ""};
  }
  if (!AllowRestart(now)) {
    std::string times = " ";
    times += std::to_string(failures_.size()) + " times within " + DurationText(node_.restart.window);
    return {Action::kFail, kind, std::move(reason), times};
  }
  if (kind != ErrorKind::kDevice) return {Action::kRestart, kind, std::move(reason), ""};
  StartWait(now);
  return {Action::kRebuild, kind, std::move(reason), ""};
}

bool Supervisor::AllowRestart(Duration now) {
  failures_.push_back(now);
  while (now - failures_.front() > node_.restart.window) failures_.pop_front();
  return static_cast<int64_t>(failures_.size()) <= node_.restart.limit;
}

void Supervisor::StartWait(Duration now) {
  double wait_s = node_.retry.first.seconds();
  const double max_s = node_.retry.max.seconds();
  for (int64_t i = 0; i < num_tries_ && wait_s < max_s; ++i) wait_s *= 2;
  ++num_tries_;
  const double variation = static_cast<double>(random_() % 501) / 1000 - 0.25;
  again_at_ = now + Duration::Seconds(std::min(wait_s, max_s) * (1 + variation));
}

bool Supervisor::OnSuccess() { return std::exchange(num_tries_, 0) != 0; }

std::string Supervisor::DescribeWait(Duration now) const {
  const int64_t wait_ms = (*again_at_ - now).nanoseconds() / 1'000'000;
  return "waits " + DurationText(Duration::Milliseconds(wait_ms)) + " to try again";
}

}  // namespace percept::graph
