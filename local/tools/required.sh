# shellcheck shell=bash
# Checks that the tools are there that each script requires.

missing=''
missing_packages='' # of Debian

# require NAME DEBIAN_PACKAGES INSTALL_COMMAND COMMAND...: records NAME as missing unless COMMAND
# succeeds. The packages provide it; on macOS, or if there are none, INSTALL_COMMAND does.
require() {
  local name=$1 packages=$2 install=$3
  shift 3
  if "$@" >/dev/null 2>&1 </dev/null; then return; fi
  if [ -n "$packages" ] && [ "$(uname)" != Darwin ]; then
    install="sudo apt-get install $packages"
    missing_packages="$missing_packages $packages"
  fi
  missing="$missing$(printf '  %-36s %s' "$name" "$install")
"
}

require_for_run() {
  local rust
  rust=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$root/Cargo.toml")
  if rustup --version >/dev/null 2>&1; then
    require "Rust $rust or newer" '' 'rustup update stable' has_rust "$rust"
  else
    require "Rust $rust or newer" '' "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh" has_rust "$rust"
  fi
  require 'a C compiler' 'build-essential' 'xcode-select --install' cc --version
  require 'Python 3.10 or newer, with venv' 'python3 python3-venv' 'brew install python' \
    python3 -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))'
}

# In addition to require_for_run.
require_for_test() {
  require 'Python 3.11 or newer' 'python3' 'brew install python' \
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'
  require 'curl' 'curl' 'brew install curl' curl --version
  # The newest tools need this version of Node.js 20, or 22.
  require 'Node.js 20.19, or 22.12 or newer' 'nodejs' 'brew install node' \
    node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 22 || (a == 22 && b >= 12) || (a == 20 && b >= 19) ? 0 : 1)'
  require 'npm' 'npm' 'brew install node' npm --version
  export CHROMIUM="${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || echo /usr/bin/chromium)}"
  require 'Chromium (or set CHROMIUM)' 'chromium' 'brew install --cask chromium' "$CHROMIUM" --version
  require 'Java 17 or newer' 'default-jre-headless' 'brew install --cask temurin' has_java_17
}

# In addition to both.
require_for_bench() {
  require 'Linux, and valgrind' 'valgrind' 'a machine with Linux' valgrind --version
}

# has_rust VERSION: succeeds if Rust has that version or a newer one.
has_rust() {
  local oldest
  cargo --version || return
  oldest=$(printf '%s\n%s\n' "$1" "$(rustc --version | sed 's/^rustc \([0-9.]*\).*/\1/')" | sort -t . -k 1,1n -k 2,2n -k 3,3n | head -n 1)
  [ "$oldest" = "$1" ]
}

has_java_17() {
  # "17.0.15", but "1.8.0_392" for Java 8.
  local version
  version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge 17 ]
}

stop_if_missing() {
  if [ -n "$missing" ]; then
    fail "These are missing; install them, then start this again:
$missing"
  fi
}
