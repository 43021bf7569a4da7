#!/usr/bin/env bash
# The real flashing tools against a virtual board.
#
#   tests/virtual_board/tools.sh OCEANRIG ESPTOOL ESPFLASH
#
# OCEANRIG, ESPTOOL and ESPFLASH are the programs: `oceanrig` of this repository, esptool from PyPI, espflash from
# crates.io (cargo install espflash --locked --no-default-features --features cli: that build needs no libudev).
set -euo pipefail
[ $# -eq 3 ] || { sed -n '2,8p' "$0" >&2; exit 2; }
oceanrig=$(realpath "$1") esptool=$2 espflash=$3
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
dir=$(mktemp -d)
port=$dir/c3

step() { printf '%s\n' "--- $*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
ctl() { "$oceanrig" virtual-board ctl "$port.ctl" "$@"; }
cleanup() {
    ctl stop >/dev/null 2>&1 || true
    wait
    rm -rf "$dir"
}
trap cleanup EXIT

# A pseudo-terminal has no DTR and RTS: the reset comes from the control socket, and the tools are told to send none.
# After a tool has raised the rate the loader keeps it, so that each command starts from a reset.
tool() {
    ctl download >/dev/null
    timeout 300 "$esptool" --port "$port" --baud 921600 --before no-reset --after no-reset "$@" >"$dir/log" 2>&1 ||
        { tail -n 30 "$dir/log" >&2; fail "esptool $*"; }
}
said() { tr '\r' '\n' <"$dir/log" | grep -q -- "$1" || { tail -n 30 "$dir/log" >&2; fail "no \`$1\`"; }; }

gunzip -c "$repository/fixtures/oceanremote-device.elf.gz" >"$dir/firmware.elf"
"$oceanrig" virtual-board --port "$port" --flash "$dir/flash.bin" --elf "$dir/firmware.elf" --mac 02:00:00:c3:00:2a \
    --download >"$dir/ready" &
for _ in $(seq 100); do [ -s "$dir/ready" ] && break; sleep 0.1; done
grep -q "^virtual board at $port (control $port.ctl)$" "$dir/ready" || fail "the board is not ready"

"$esptool" version | tail -n 1
step "esptool flash-id"
tool flash-id
said "ESP32-C3"
said "02:00:00:c3:00:2a"
said "Detected flash size: 4MB"

step "esptool write-flash, verify-flash, read-flash"
head -c 300001 /dev/urandom >"$dir/written"
tool write-flash 0x100000 "$dir/written"
said "Hash of data verified"
tool verify-flash 0x100000 "$dir/written"
said "Verification successful"
tool read-flash 0x100000 300001 "$dir/read"
cmp "$dir/written" "$dir/read" || fail "other bytes came back"

step "the same without the stub program, with the loader of the ROM alone"
head -c 40000 /dev/urandom >"$dir/written"
tool --no-stub write-flash 0x200000 "$dir/written"
tool --no-stub verify-flash 0x200000 "$dir/written"
said "Verification successful"

step "esptool verify-flash finds a wrong byte"
printf 'x' | dd of="$dir/written" bs=1 seek=777 conv=notrunc status=none
ctl download >/dev/null
if "$esptool" --port "$port" --before no-reset --after no-reset verify-flash 0x200000 "$dir/written" >"$dir/log" 2>&1; then
    fail "esptool did not find it"
fi
said "Verification failed"

step "esptool erase-flash, and the file of the flash"
tool erase-flash
sleep 1
[ "$(tr -d '\377' <"$dir/flash.bin" | wc -c)" -eq 0 ] || fail "the file is not erased"
[ "$(stat -c %s "$dir/flash.bin")" -eq 4194304 ] || fail "the file is not 4 MiB"

"$espflash" --version
step "espflash flash --monitor"
# espflash takes only ports that the system lists. Its monitor stays: the reset comes when the flashing is done.
ctl download >/dev/null
timeout 240 "$here/as-serial-port.sh" "$port" "$espflash" flash --skip-update-check --non-interactive --no-reset \
    --port /dev/ttyVB0 --baud 921600 --before no-reset --after no-reset --monitor \
    --partition-table "$repository/firmware-under-test/partitions.csv" "$dir/firmware.elf" >"$dir/log" 2>&1 &
monitor=$!
for _ in $(seq 600); do grep -q "Flashing has completed" "$dir/log" 2>/dev/null && break; sleep 0.1; done
said "Flashing has completed"
sleep 2
ctl reset >/dev/null
for _ in $(seq 100); do grep -q "Waiting for provisioning" "$dir/log" && break; sleep 0.1; done
said "ESP-ROM:esp32c3"
said "OceanicRemote"
said "Waiting for provisioning"
ctl status | grep -q "\"elf\":\"$dir/firmware.elf\"" || fail "the ELF of what was flashed is not found"
kill "$monitor"
wait "$monitor" || true

step "all of it works"
