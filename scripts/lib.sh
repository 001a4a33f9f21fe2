# Shared by the scripts: messages and the build. Source it from the root of the repository.
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

# build_preset PRESET [TARGET...]: configures when needed, builds, keeps quiet unless it fails.
build_preset() {
  local preset=$1 log=build/$1.log
  shift
  mkdir -p build
  say "building ($preset; output in $log)"
  if ! { cmake --preset "$preset" && cmake --build --preset "$preset" ${1:+--target "$@"}; } >"$log" 2>&1; then
    grep -E 'error|Error|FAILED' -A3 "$log" | head -n 60 >&2 || true
    die "the build failed; all of its output is in $log"
  fi
}
