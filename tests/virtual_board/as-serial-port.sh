#!/usr/bin/env bash
# as-serial-port.sh PORT COMMAND…
#
# Runs COMMAND where the virtual board's PORT is listed among the system's serial ports, as /dev/ttyVB0: for tools that
# take only ports which the system lists, as espflash's command line does. Nothing outside the command sees it: the
# names exist in a mount namespace of its own (Linux; as root, or where unprivileged user namespaces are allowed).
set -euo pipefail

if [ "${1-}" != --inside ]; then
    [ $# -ge 2 ] || { echo "usage: $0 PORT COMMAND…" >&2; exit 2; }
    port=$(readlink -f "$1")
    [ -c "$port" ] || { echo "$0: $1 is no serial port" >&2; exit 2; }
    shift
    user=()
    [ "$(id -u)" -eq 0 ] || user=(--map-root-user)
    exec unshare "${user[@]}" --mount "$0" --inside "$port" "$@"
fi

port=$2
shift 2
# A /sys/class/tty with one port, on a bus that needs no description.
tty=/sys/class/tty
mount -t tmpfs tmpfs "$tty"
mkdir -p "$tty/ttyVB0/device" "$tty/bus/pnp" "$tty/dev"
ln -s "$tty/bus/pnp" "$tty/ttyVB0/device/subsystem"
# A /dev with what programs want, and the port.
for node in null zero full random urandom tty ptmx; do
    touch "$tty/dev/$node"
    mount --bind "/dev/$node" "$tty/dev/$node"
done
mkdir "$tty/dev/pts" "$tty/dev/shm"
mount --rbind /dev/pts "$tty/dev/pts"
touch "$tty/dev/ttyVB0"
mount --bind "$port" "$tty/dev/ttyVB0"
ln -s /proc/self/fd "$tty/dev/fd"
mount --rbind "$tty/dev" /dev
exec "$@"
