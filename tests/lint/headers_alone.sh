#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every header compiles alone.
set -uo pipefail
cd "$1"
compiler=$2
status=0
while IFS= read -r header; do
  if ! "$compiler" -std=c++20 -fsyntax-only -I. -x c++ -include "$header" /dev/null 2>/tmp/headers_alone.$$; then
    echo "$header does not compile alone:"
    head -n 5 /tmp/headers_alone.$$
    status=1
  fi
done < <(git ls-files --cached --others --exclude-standard -- 'kernels/*.h' 'encoders/*.h' 'decoder/*.h' 'engine/*.h' 'graph/*.h' 'nodes/*.h')
rm -f /tmp/headers_alone.$$
exit $status
