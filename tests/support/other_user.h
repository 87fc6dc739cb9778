// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <tuple>

// While it lives, the process is to the file system a user who may not read everything.
class OtherUser {
 public:
  OtherUser() { std::ignore = seteuid(kNobody); }
  ~OtherUser() { std::ignore = seteuid(getuid()); }
  OtherUser(const OtherUser&) = delete;
  OtherUser& operator=(const OtherUser&) = delete;

 private:
  static constexpr uid_t kNobody = 65534;
};
