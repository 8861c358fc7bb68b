# shellcheck shell=bash disable=SC2034
# Sourced by local/run, local/test, local/bench and .ci/run: checks that the required tools are there,
# installs the others into target/tools, and starts services. Installs nothing system-wide.
# Runs on the bash 3.2 of macOS too.

root=$(CDPATH='' cd -- "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tools=$root/target/tools

log() {
  printf '==> %s\n' "$*"
}

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# shellcheck source=local/tools/required.sh
. "$root/local/tools/required.sh"
# shellcheck source=local/tools/install.sh
. "$root/local/tools/install.sh"
# shellcheck source=local/tools/services.sh
. "$root/local/tools/services.sh"
