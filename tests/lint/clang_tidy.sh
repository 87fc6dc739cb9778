#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over every .cc of the project, one process per processor. A file whose preprocessed text, rules and tool are
# those of an earlier clean run is not checked again (cache: $XDG_CACHE_HOME/percept-tidy).
set -uo pipefail
cd "$1"
export build=$2 tidy=$3
export cache=${XDG_CACHE_HOME:-$HOME/.cache}/percept-tidy
mkdir -p "$cache"
rules=$({ "$tidy" --version; cat .clang-tidy; } | sha256sum)
export rules
# clang has no omp.h of its own where libomp is not installed.
gcc_headers=$(g++ -print-file-name=include)
export gcc_headers

# The compiler's command for a file, without its output, as the compilation database has it.
command_of() {
  sed -nE 's/^ *"command": "(.*)",?$/\1/p' "$build/compile_commands.json" | grep -F -- " -c $PWD/$1" | head -n 1 |
    sed -E 's/ -o [^ ]+ / /; s/ -c / -E -P /; s/\\"/"/g'
}

check() {
  local file=$1 command key=""
  command=$(command_of "$file")
  [ -n "$command" ] || { echo "$file: not in the compilation database"; return 1; }
  if text=$(cd "$build" && eval "$command" 2>/dev/null); then
    key=$({ echo "$rules"; printf '%s' "$text"; cat "$file"; } | sha256sum | cut -c1-40)
    [ -f "$cache/$key" ] && return 0
  fi
  local output
  if output=$("$tidy" -p "$build" --quiet --extra-arg=-idirafter"$gcc_headers" "$file" 2>/dev/null); then
    [ -n "$key" ] && touch "$cache/$key"
    return 0
  fi
  printf '%s\n' "$output"
  return 1
}
export -f check command_of
git ls-files -- '*.cc' | grep -v '^examples/' | xargs -P "$(nproc)" -I{} bash -c 'check {}'
