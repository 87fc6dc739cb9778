#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the build into an empty folder and builds the examples against it from outside. minimal_graph and the
# installed program run on one sample: they must agree and must not need the source tree. embed must answer every frame
# but the one it cancels. The libraries define no symbols but percept's.
set -euo pipefail
source_dir=$1
build_dir=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build_dir" --prefix "$work/prefix" >"$work/install.log"
for file in bin/percept share/percept/pipelines/ocr.yaml share/percept/models/percept-tiny/model.safetensors \
            include/percept/graph/run/graph.h include/percept/nodes/runtime.h; do
  [ -e "$work/prefix/$file" ] || { echo "not installed: $file"; exit 1; }
done

"$source_dir/tests/install/own_symbols.sh" "$work"/prefix/lib*/ || exit 1

build_example() {
  cp -r "$source_dir/examples/$1" "$work/$1"
  cmake -S "$work/$1" -B "$work/$1/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/configure.log" 2>&1 || { cat "$work/configure.log"; exit 1; }
  cmake --build "$work/$1/build" >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log"; exit 1; }
}
build_example minimal_graph
build_example embed

cp "$source_dir/examples/media/receipt.png" "$work/receipt.png"
cd "$work"
program=$(prefix/bin/percept ocr receipt.png)
example=$(minimal_graph/build/minimal_graph prefix/share/percept/models/percept-tiny receipt.png)
[ -n "$program" ] || { echo "the installed program printed nothing"; exit 1; }
[ "$program" = "$example" ] || { printf 'the program printed:\n%s\nthe example printed:\n%s\n' "$program" "$example"; exit 1; }
if minimal_graph/build/minimal_graph prefix/share/percept/models/percept-tiny no_such.png 2>/dev/null; then
  echo "a missing picture must not end with exit code 0"
  exit 1
fi

embedded=$(embed/build/embed prefix/share/percept/models/percept-tiny)
for line in "first prompt: 59 answered, 1 cancelled" "second prompt: 40 answered, 0 cancelled" "without a graph: "; do
  grep -qF "$line" <<<"$embedded" || { printf 'embed printed:\n%s\nnot: %s\n' "$embedded" "$line"; exit 1; }
done
