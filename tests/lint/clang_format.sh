#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$1"
git ls-files -- '*.h' '*.cc' | xargs clang-format --dry-run -Werror
