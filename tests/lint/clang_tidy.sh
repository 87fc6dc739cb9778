#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over every .cc in the compilation database, two at a time. A file whose preprocessed text, rules and tool
# are those of an earlier clean run is not checked again (cache: $XDG_CACHE_HOME/percept-tidy).
set -uo pipefail
cd "$1"
build=$2
cache=${XDG_CACHE_HOME:-$HOME/.cache}/percept-tidy
mkdir -p "$cache"
export build cache
rules=$({ clang-tidy --version; cat .clang-tidy; } | sha256sum)
export rules

check() {
  file=$1
  includes=$(sed -nE "s/.*\"command\": \"(.*) -o .*$(basename "$file" .cc)\.cc\.o .*/\1/p" "$build/compile_commands.json" | head -n 1 |
             grep -oE -- '-(I|isystem |D|std=)[^ ]+' | sed 's/\\"/"/g')
  key=$({ echo "$rules"; eval "g++ -std=c++20 -E -P $(tr '\n' ' ' <<<"$includes") '$file'" 2>/dev/null; cat "$file"; } | sha256sum | cut -c1-40)
  [ -f "$cache/$key" ] && return 0
  if clang-tidy -p "$build" --quiet "$file" 2>/dev/null >"$cache/$key.out" && ! grep -qE '(warning|error):' "$cache/$key.out"; then
    rm -f "$cache/$key.out"
    touch "$cache/$key"
    return 0
  fi
  cat "$cache/$key.out"
  rm -f "$cache/$key.out"
  return 1
}
export -f check
git ls-files -- '*.cc' | grep -v '^examples/' | xargs -P 2 -I{} bash -c 'check {}'
