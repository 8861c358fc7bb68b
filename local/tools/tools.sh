# shellcheck shell=bash disable=SC2034
# Sourced by local/run, local/admin, local/test, local/bench and .ci/run: checks that the required tools are there,
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

# Creates the folder of a local run, and sets its settings.
set_local_environment() {
  # A relative path is relative to the caller's folder.
  export LOCAL_DIR="${LOCAL_DIR:-$root/target/local}"
  # The folder contains phone numbers and codes: only its owner may read it.
  umask 077
  mkdir -p "$LOCAL_DIR"
  LOCAL_DIR=$(CDPATH='' cd -- "$LOCAL_DIR" && pwd)
  # All requests come from one address, and no SMS costs anything. All other limits are those of a deployment.
  export SMS_PER_IP="${SMS_PER_IP:-10000/1}" PASSWORDS_PER_IP="${PASSWORDS_PER_IP:-10000/1}"
  export CHECKS_PER_IP="${CHECKS_PER_IP:-10000/1}" SMS_PER_DAY="${SMS_PER_DAY:-1000000}"
}

# shellcheck source=local/tools/required.sh
. "$root/local/tools/required.sh"
# shellcheck source=local/tools/install.sh
. "$root/local/tools/install.sh"
# shellcheck source=local/tools/services.sh
. "$root/local/tools/services.sh"
