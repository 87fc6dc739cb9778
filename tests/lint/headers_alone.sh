#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every header compiles alone. That of a .cc which includes it before anything else has been compiled alone by the build.
set -uo pipefail
cd "$1"
export compiler=$2

check() {
  local output source=${1%.h}.cc
  if [ -f "$source" ] && [ "$(grep -m 1 '^#include' "$source")" = "#include \"$1\"" ]; then return 0; fi
  output=$("$compiler" -std=c++20 -fsyntax-only -I. -x c++ -include "$1" /dev/null 2>&1) && return 0
  echo "$1 does not compile alone:"
  head -n 5 <<<"$output"
  return 1
}
export -f check
git ls-files -- 'kernels/*.h' 'encoders/*.h' 'decoder/*.h' 'engine/*.h' 'graph/*.h' 'nodes/*.h' |
  xargs -P "$(nproc)" -I{} bash -c 'check {}'
