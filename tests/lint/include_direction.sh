#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Dependencies point one way: cli -> nodes -> {graph, engine} -> {encoders, decoder} -> kernels. Prints every #include of
# one of our folders that the including folder may not know, and fails when there is one.
set -euo pipefail
cd "$1"
declare -A allowed=(
  [kernels]="kernels"
  [encoders]="encoders kernels"
  [decoder]="decoder kernels"
  [engine]="engine encoders decoder kernels"
  [graph]="graph"
  [nodes]="nodes graph engine encoders decoder kernels"
  [cli]="cli nodes graph engine encoders decoder kernels"
)
status=0
for folder in "${!allowed[@]}"; do
  while IFS=: read -r file line include; do
    target=$(sed -nE 's/.*#include "([a-z_]+)\/.*/\1/p' <<<"$include")
    if [ -z "$target" ] || [[ " ${allowed[$folder]} " != *" $target "* ]]; then
      echo "$file:$line: ${include# }: $folder/ may include only from: ${allowed[$folder]}"
      status=1
    fi
  done < <(grep -rnE '^[[:space:]]*#include "' "$folder" --include='*.h' --include='*.cc' --include='*.cu' || true)
done
# The graph runtime knows no payload type and no media library.
if grep -rnE '#include <(vips|opencv|libav|dnnl|oneapi/dnnl)' graph engine encoders decoder; then
  echo "a library above is not for this folder"
  status=1
fi
if grep -rnE '#include <(oneapi/)?dnnl' kernels --include='*.h'; then
  echo "oneDNN stays behind kernels/cpu"
  status=1
fi
exit $status
