# shellcheck shell=bash disable=SC2154
# Checks of functions/openapi.json. Sourced by local/test; install_openapi_tools must have run.

lint_openapi() {
  REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
    "$openapi_npm/node_modules/.bin/redocly" lint --config local/tests/openapi/redocly.yaml functions/openapi.json
}

check_compatibility() {
  python3 -m unittest discover -s local/tests/openapi
  python3 local/tests/openapi/compatibility.py ${GITHUB_ACTIONS:+--require} "$@"
}

# The options of a local run for the checks below, which send many requests from one address. Two SMS
# to one phone number must be one second apart: hooks.py keeps to that.
openapi_server_settings() {
  local limit
  for limit in SMS_PER_PHONE SMS_PER_PHONE_FOR_UNNAMED_RESET SMS_PER_DEVICE SMS_PER_ACCOUNT \
    PASSWORDS_PER_ACCOUNT PASSWORDS_PER_DEVICE; do
    printf '%s=10000/1\n' $limit
  done
  printf '%s\n' SECONDS_BETWEEN_SENDS=1 BCRYPT_COST=10 LOCAL_DIR=.
}

# run_schemathesis URL
run_schemathesis() {
  cd local/tests/openapi
  "$openapi_venv/bin/schemathesis" --config-file schemathesis.toml run "$root/functions/openapi.json" --url "$1"
}

# follow_links URL
follow_links() {
  "$openapi_venv/bin/python" local/tests/openapi/stories.py "$1"
}

# check_typescript_client URL
check_typescript_client() {
  local folder=$openapi_npm/client
  rm -rf "$folder"
  mkdir "$folder"
  cp functions/openapi.json local/tests/openapi/{client.ts,tsconfig.json,openapi-ts.config.mjs} "$folder"
  cd "$folder"
  ../node_modules/.bin/openapi-ts --file openapi-ts.config.mjs
  ../node_modules/.bin/tsc --project . --outDir compiled
  node compiled/client.js "$1"
}

# check_python_client URL
check_python_client() {
  local folder=$openapi_venv/client
  rm -rf "$folder"
  mkdir "$folder"
  # The generator formats its code with ruff.
  PATH=$openapi_venv/bin:$PATH openapi-python-client generate --path functions/openapi.json \
    --output-path "$folder/generated" --meta none --fail-on-warning
  cp local/tests/openapi/client.py local/tests/openapi/mypy.ini "$folder"
  cd "$folder"
  "$openapi_venv/bin/mypy" --config-file mypy.ini client.py generated
  "$openapi_venv/bin/python" client.py "$1"
}
