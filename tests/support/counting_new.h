// SPDX-License-Identifier: Apache-2.0
// Replaces operator new and delete of the program, to count what is allocated while `counts` is set: on all threads,
// but for calls that return into oneDNN or oneTBB: oneDNN takes a few small objects for each product it executes,
// oneTBB takes its tasks from pools of its own. For one source file of a program only.
#pragma once

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

std::atomic<bool> counts{false};
std::atomic<int> num_allocations{0};
std::atomic<size_t> num_allocated_bytes{0};
std::atomic<int> allocations_until_failure{-1};

bool IsOurs(void* return_address) {
  Dl_info caller{};
  if (dladdr(return_address, &caller) == 0 || caller.dli_fname == nullptr) {
    return true;
  }
  return std::strstr(caller.dli_fname, "libdnnl") == nullptr && std::strstr(caller.dli_fname, "libtbb") == nullptr;
}

void* Allocate(std::size_t size, std::size_t alignment, void* return_address) {
  if (counts.load(std::memory_order_relaxed) && IsOurs(return_address)) {
    num_allocations.fetch_add(1, std::memory_order_relaxed);
    num_allocated_bytes.fetch_add(size, std::memory_order_relaxed);
    if (allocations_until_failure.load() >= 0 && allocations_until_failure.fetch_sub(1) == 0) {
      throw std::bad_alloc();
    }
  }
  const std::size_t rounded = (std::max<std::size_t>(size, 1) + alignment - 1) / alignment * alignment;
  void* bytes = alignment <= alignof(std::max_align_t) ? std::malloc(rounded) : std::aligned_alloc(alignment, rounded);
  if (bytes == nullptr) {
    throw std::bad_alloc();
  }
  return bytes;
}

// Never inlined: the compiler would take the pair with operator new for a mistake.
[[gnu::noinline]] void Release(void* bytes) noexcept { std::free(bytes); }

}  // namespace

void* operator new(std::size_t size) { return Allocate(size, alignof(std::max_align_t), __builtin_return_address(0)); }
void* operator new[](std::size_t size) {
  return Allocate(size, alignof(std::max_align_t), __builtin_return_address(0));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
void operator delete(void* bytes) noexcept { Release(bytes); }
void operator delete[](void* bytes) noexcept { Release(bytes); }
void operator delete(void* bytes, std::size_t) noexcept { Release(bytes); }
void operator delete[](void* bytes, std::size_t) noexcept { Release(bytes); }
void operator delete(void* bytes, std::align_val_t) noexcept { Release(bytes); }
void operator delete[](void* bytes, std::align_val_t) noexcept { Release(bytes); }
void operator delete(void* bytes, std::size_t, std::align_val_t) noexcept { Release(bytes); }
void operator delete[](void* bytes, std::size_t, std::align_val_t) noexcept { Release(bytes); }
