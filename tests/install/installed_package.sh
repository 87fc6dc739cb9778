#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the build into an empty folder, builds examples/minimal_graph against it from outside, and runs both the
# installed program and the example on a sample: they must agree and must not need the source tree.
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

cp -r "$source_dir/examples/minimal_graph" "$work/example"
cmake -S "$work/example" -B "$work/example/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/configure.log" 2>&1 || { cat "$work/configure.log"; exit 1; }
cmake --build "$work/example/build" >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log"; exit 1; }

cp "$source_dir/examples/media/receipt.png" "$work/receipt.png"
cd "$work"
program=$(prefix/bin/percept ocr receipt.png)
example=$(example/build/minimal_graph prefix/share/percept/models/percept-tiny receipt.png)
[ -n "$program" ] || { echo "the installed program printed nothing"; exit 1; }
[ "$program" = "$example" ] || { printf 'the program printed:\n%s\nthe example printed:\n%s\n' "$program" "$example"; exit 1; }
if example/build/minimal_graph prefix/share/percept/models/percept-tiny no_such.png 2>/dev/null; then
  echo "a missing picture must not end with exit code 0"
  exit 1
fi
