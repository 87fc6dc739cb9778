// SPDX-License-Identifier: Apache-2.0
#include "graph/node/waker.h"

#include <utility>

#include "graph/node/wake_state.h"

namespace percept::graph {

void WakeState::Wake() {
  std::lock_guard lock(mutex_);
  if (target_) target_->OnWake();
}

void WakeState::Change() {
  std::lock_guard lock(mutex_);
  if (target_) target_->OnChange();
}

void WakeState::AddHolder() {
  std::lock_guard lock(mutex_);
  ++num_holders_;
  if (target_) target_->OnHolderAdded();
}

void WakeState::DropHolder() {
  std::lock_guard lock(mutex_);
  --num_holders_;
  if (target_) target_->OnHoldersGone(1, /*call=*/num_holders_ == 0);
}

void WakeState::Detach() {
  std::lock_guard lock(mutex_);
  if (target_ && num_holders_ > 0) target_->OnHoldersGone(num_holders_, /*call=*/false);
  target_ = nullptr;
}

Waker::Waker(std::shared_ptr<WakeState> state) : state_(std::move(state)) { state_->AddHolder(); }

Waker::Waker(const Waker& other) : state_(other.state_) {
  if (state_) state_->AddHolder();
}

Waker& Waker::operator=(Waker other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

Waker::~Waker() {
  if (state_) state_->DropHolder();
}

void Waker::Wake() const {
  if (state_) state_->Wake();
}

}  // namespace percept::graph
