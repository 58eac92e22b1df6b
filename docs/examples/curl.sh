#!/usr/bin/env bash
# The ledger with curl 7.76 or newer, step by step.
#
#   COIN_API=http://127.0.0.1:8000 COIN_API_KEY=pc_… bash curl.sh alice a-nonce
#
# gives alice ten credits and prints her balance. Run again with the same nonce it prints
# the same: whoever does not know whether a write arrived sends it again as it was.
set -euo pipefail
owner=$1 nonce=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Whatever is lost or busy is asked again, after Retry-After where there is one; what is
# refused is printed and ends this.
ask() {
  curl --silent --show-error --fail-with-body --max-time 40 \
    --retry 8 --retry-all-errors --retry-max-time 120 \
    --header "X-API-Key: $COIN_API_KEY" \
    --dump-header "$folder/headers" --output "$folder/answer" "$@" || {
    cat "$folder/answer" >&2
    return 1
  }
  cat "$folder/answer"
}

# Accepted: 202, and where to look.
write="{\"owner_id\": \"$owner\", \"operation\": \"CREDIT_ADD\", \"nonce\": \"$nonce\"}"
ask "$COIN_API/ledger" --header 'Content-Type: application/json' --data "$write" >/dev/null
job=$(sed -n 's/^[Ll]ocation: \([^[:cntrl:]]*\).*/\1/p' "$folder/headers" | tail -n 1)

# Finished: a job is waited for up to 30 seconds, and then asked for again.
finished=$(ask "$COIN_API$job?wait=30")
while [[ $finished == *'"state":"queued"'* || $finished == *'"state":"running"'* ]]; do
  sleep 1
  finished=$(ask "$COIN_API$job?wait=30")
done
if [[ $finished != *'"state":"succeeded"'* ]]; then
  echo "$finished" >&2
  exit 1
fi

ask "$COIN_API/ledger/$owner" | sed 's/.*"balance":\([-0-9]*\).*/\1/'
