#!/usr/bin/env bash
# The scenarios for boards on a virtual board: from a chip in its bag to JUnit. Usage: tests/boards.sh OCEANRIG DIR
#
# DIR gets the reports. The first minute runs in real time and must give the emulator's own log; the hours are divided
# by the time scale.
set -euo pipefail
cd "$(dirname "$0")/.."
oceanrig=$(realpath "$1")
out=$2
scale=80

rm -rf "$out"
mkdir -p "$out"
desk=$(mktemp -d)
trap '"$oceanrig" virtual-board ctl "$desk/port.ctl" stop >/dev/null 2>&1 || true; wait; rm -rf "$desk"' EXIT
export OCEANRIG_LOCK_DIR=$desk/locks

gunzip -c fixtures/oceanremote-device.elf.gz >"$desk/device.elf"
ctl="'$oceanrig', 'virtual-board', 'ctl', '$desk/port.ctl'"
cat >"$desk/boards.toml" <<BOARDS
[board.virtual]
port = '$desk/port'
before = 'no-reset'
after = 'no-reset'
host = '192.168.4.1'
listen = '127.0.0.1'
ssid = 'oceanrig'
password = 'salt-water'
tolerance = '8s'

[board.virtual.commands]
reset = [$ctl, 'reset']
download = [$ctl, 'download']
power-off = [$ctl, 'power', 'off']
power-on = [$ctl, 'power', 'on']

[board.virtual.access-point]
hostapd = '$desk/hostapd'
BOARDS

"$oceanrig" virtual-board --port "$desk/port" --flash "$desk/flash.bin" --elf "$desk/device.elf" \
    --hostapd "$desk/hostapd" --mac 02:0c:ea:12:34:56 >"$desk/board.log" &
for _ in $(seq 100); do
    [ -s "$desk/board.log" ] && break
    sleep 0.1
done
"$oceanrig" boards --boards "$desk/boards.toml"

on_the_board=(--dut board:virtual --boards "$desk/boards.toml" --retries 1)
"$oceanrig" run scenarios/boards/first-minute.yaml "${on_the_board[@]}" --snapshots --ci --out "$out/first-minute"
"$oceanrig" run scenarios/boards -k 'healthy*' -k 'lost*' -k 'session*' -k 'wifi*' -k 'power*' \
    "${on_the_board[@]}" --time-scale "$scale" --out "$out/scaled"

junit=$out/scaled/junit.xml
[ "$(grep -c '<testcase ' "$junit")" -eq 6 ] || { echo "$junit does not have six cases"; exit 1; }
[ "$(grep -c "name=\"time-scale\" value=\"$scale\"" "$junit")" -eq 6 ] || { echo "$junit does not say that it was scaled"; exit 1; }
