#!/usr/bin/env bash
# One night on a board: every scenario, the reports, the history. The systemd unit beside this and the workflow
# .github/workflows/nightly.yml run it; so can you. docs/nightly.md tells the rest.
#
# Further arguments go to `oceanrig run`. The exit code is that of `oceanrig run`.
set -euo pipefail
cd "$(dirname "$0")/.."

: "${OCEANRIG:=./target/release/oceanrig}"          # the program
: "${OCEANRIG_DUT:=board:desk}"                     # what runs the scenarios; `emulator` for a trial without a board
: "${OCEANRIG_SCENARIOS:=scenarios/boards}"         # files or directories, separated by spaces
: "${OCEANRIG_TIME_SCALE:=1}"                       # 1 is real time
: "${OCEANRIG_RETRIES:=2}"                          # for troubles of the bench, never for failures
: "${OCEANRIG_STATE:=$HOME/.local/state/oceanrig}"  # runs and history
: "${OCEANRIG_KEEP:=30}"                            # how many nights are kept

read -ra scenarios <<<"$OCEANRIG_SCENARIOS"
arguments=(--retries "$OCEANRIG_RETRIES")
if [ "$OCEANRIG_DUT" != emulator ]; then
    arguments+=(--dut "$OCEANRIG_DUT" --time-scale "$OCEANRIG_TIME_SCALE")
    # What is connected, for whoever reads the log of a night that went wrong.
    "$OCEANRIG" boards || true
fi

runs=$OCEANRIG_STATE/runs
out=$runs/$(date -u +%Y-%m-%dT%H%M%SZ)
mkdir -p "$out"
code=0
"$OCEANRIG" run "${scenarios[@]}" "${arguments[@]}" --out "$out" --history "$OCEANRIG_STATE/history.jsonl" "$@" || code=$?
ln -sfn "runs/${out##*/}" "$OCEANRIG_STATE/latest"

if [ -s "$OCEANRIG_STATE/history.jsonl" ]; then
    "$OCEANRIG" history "$OCEANRIG_STATE/history.jsonl" | tee "$out/history.txt"
fi

# The oldest nights go; their lines in the history stay.
mapfile -t nights < <(find "$runs" -mindepth 1 -maxdepth 1 -type d -name '2*Z' | sort)
for ((i = 0; i < ${#nights[@]} - OCEANRIG_KEEP; i++)); do
    rm -rf -- "${nights[i]}"
done
exit "$code"
