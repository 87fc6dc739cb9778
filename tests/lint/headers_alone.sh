#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every header compiles alone.
set -uo pipefail
cd "$1"
export compiler=$2

check() {
  local output
  output=$("$compiler" -std=c++20 -fsyntax-only -I. -x c++ -include "$1" /dev/null 2>&1) && return 0
  echo "$1 does not compile alone:"
  head -n 5 <<<"$output"
  return 1
}
export -f check
git ls-files -- 'kernels/*.h' 'encoders/*.h' 'decoder/*.h' 'engine/*.h' 'graph/*.h' 'nodes/*.h' |
  xargs -P "$(nproc)" -I{} bash -c 'check {}'
