#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# own_symbols.sh FOLDER: the libraries there define no global symbol outside percept::, but for instances of templates,
# and use nothing by which a library would meddle with its program: exit, signals, standard streams, the environment.
set -euo pipefail
shopt -s nullglob
status=0
num_libraries=0
for library in "$1"/libpercept_*.a; do
  num_libraries=$((num_libraries + 1))
  # Weak and unique symbols (W, V, u) are templates and inline functions, which every program may define again.
  foreign=$(nm -gC --defined-only "$library" 2>/dev/null | grep -E '^[0-9a-f]+ [A-TX-Z] ' | grep -vF 'percept::' || true)
  if [ -n "$foreign" ]; then
    printf '%s defines symbols outside percept:::\n%s\n' "$(basename "$library")" "$foreign"
    status=1
  fi
  meddling=$(nm -uC "$library" 2>/dev/null | grep -oE ' (exit|_exit|_Exit|quick_exit|at_quick_exit|signal|sigaction|pthread_sigmask|sigprocmask|printf|vprintf|puts|putchar|perror|stdout|stderr|getenv|secure_getenv|setenv|putenv|std::cout|std::cerr|std::clog)(@.*)?$' |
    sort -u || true)
  if [ -n "$meddling" ]; then
    printf '%s uses what is its program'"'"'s alone:\n%s\n' "$(basename "$library")" "$meddling"
    status=1
  fi
done
[ "$num_libraries" -eq 6 ] || { echo "found $num_libraries libraries instead of 6 in $1"; status=1; }
exit $status
