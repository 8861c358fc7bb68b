# shellcheck shell=bash disable=SC2034,SC2154
# Starts and stops services beside a script. The script must `set -m`, so that each job is a process
# group, and `trap clean_up EXIT`.

services='' scratch='' step_pid=''

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

# serve NAME URL COMMAND...: starts a service and waits until it responds.
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
      fail "$name does not respond at $url"
    fi
    sleep 1
  done
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'
}

# Starts an empty, in-memory DynamoDB Local and sets $dynamodb_local_url. DynamoDB Local listens on
# all networks and has no option to restrict this.
serve_dynamodb_local() {
  local port
  port=$(free_port)
  dynamodb_local_url=http://127.0.0.1:$port
  DDB_LOCAL_TELEMETRY=0 serve dynamodb-local "$dynamodb_local_url/" \
    java "-Djava.library.path=$dynamodb_local/DynamoDBLocal_lib" -jar "$dynamodb_local/DynamoDBLocal.jar" \
    -inMemory -disableTelemetry -port "$port"
}
