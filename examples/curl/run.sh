#!/bin/sh
# Begins a run, follows it to its end, and prints its status and text.
#
#   RUNGATE_URL=http://127.0.0.1:8080 RUNGATE_KEY=rgk_… sh examples/curl/run.sh [provider] [workflow]
#
# Needs curl, grep and sed. Where jq is installed, it reads JSON better than `first` does.
set -eu
: "${RUNGATE_URL:?the address of Rungate, for example http://127.0.0.1:8080}"
: "${RUNGATE_KEY:?a key of the role runs}"
provider=${1:-ai-tutor}
workflow=${2:-wf_abc123}

answer=$(mktemp -d)
trap 'rm -rf "$answer"' EXIT
trap 'exit 1' HUP INT TERM

# Calls Rungate: the HTTP status becomes $http_status, head and body are files in $answer.
# The key goes through standard input, so that the list of processes does not show it.
call() {
  http_status=$(printf 'header = "Authorization: Bearer %s"\n' "$RUNGATE_KEY" |
    curl --config - -sS -D "$answer/head" -o "$answer/body" -w '%{http_code}' "$@")
}

# A JSON string without its quotes, as people read it: escapes are taken off.
plain() {
  printf '%b' "$(sed -E 's/\\"/"/g')"
}

# The first value of this name in the body. A run tells its status, and an error its code, before anything else.
first() {
  grep -oE "\"$1\":(\"([^\"\\\\]|\\\\.)*\"|[^,}]*)" "$answer/body" | head -n 1 | sed -E 's/^"[^"]*":"?//; s/"$//' | plain
}

# An error in place of a run: says what is wrong, and whether the same request may be sent again.
check() {
  case $http_status in
    200 | 202) return ;;
  esac
  printf 'HTTP %s %s: %s\n' "$http_status" "$(first code)" "$(first message)" >&2
  echo "retryable: $(first retryable), after: $(first retry_after_s) s" >&2
  exit 1
}

# One key for one intention: were this very request sent again, it would find the run that it has begun.
idempotency_key="example-$(date +%s)-$$"
call "$RUNGATE_URL/runs" \
  -H "Content-Type: application/json" \
  -H "Idempotency-Key: $idempotency_key" \
  -H "Prefer: wait=10" \
  -d "{\"provider\": \"$provider\", \"workflow\": \"$workflow\", \"inputs\": {\"story\": \"a fox and a gateway\"}}"
check
run=$(sed -nE 's/^[Ll]ocation: ([^[:space:]]+).*/\1/p' "$answer/head")

# A wait that runs out is no error, and the run goes on: wait again.
while :; do
  status=$(first status)
  case $status in
    queued | running | cancelling) ;;
    *) break ;;
  esac
  call "$RUNGATE_URL$run" -H "Prefer: wait=30"
  check
done

echo "status: $status"
case $status in
  succeeded) printf 'text: %s\n' "$(sed -nE 's/.*"output":\{"text":"(([^"\\]|\\.)*)".*/\1/p' "$answer/body" | plain)" ;;
  waiting) echo "waits for: $(first for); resume it with POST $run/resume" ;;
  failed | timed_out) printf 'error: %s: %s\n' "$(first code)" "$(first message)" >&2 && exit 1 ;;
esac
