#!/bin/sh
# Builds the firmware and prints where the ELF is.
#
#   firmware-under-test/build.sh            the ELF only
#   firmware-under-test/build.sh --out FILE also copies it to FILE
#   firmware-under-test/build.sh --fixture  also renews the images in fixtures/ and their README
#   firmware-under-test/build.sh --test     only the host tests of the hardware-free half
#
# Two toolchains do: one with a standard library for the target (`rustup target add
# riscv32imc-unknown-none-elf`), or Debian's packages rustc-web, cargo-web, rust-web-src and lld-22, which build
# that library here. FIRMWARE_ROUTE=rustup or =debian chooses; without it the first that is present is taken.
# The target directory is CARGO_TARGET_DIR, or firmware-under-test/target.
set -eu

target=riscv32imc-unknown-none-elf
here=$(cd "$(dirname "$0")" && pwd)

mode=${1:-}
copy=
case $mode in
"" | --fixture | --test) ;;
--out)
    copy=${2:?"--out wants a file"}
    case $copy in /*) ;; *) copy=$PWD/$copy ;; esac ;;
*)
    echo "build.sh: unknown argument $mode" >&2
    exit 2 ;;
esac
case ${CARGO_TARGET_DIR:-/} in /*) ;; *) CARGO_TARGET_DIR=$PWD/$CARGO_TARGET_DIR ;; esac
cd "$here"
built=${CARGO_TARGET_DIR:-$here/target}

say() { echo "build.sh: $*" >&2; }

has_target() {
    command -v cargo >/dev/null && command -v rustc >/dev/null &&
        ls "$(rustc --print sysroot)/lib/rustlib/$target/lib/"libcore-*.rlib >/dev/null 2>&1
}

has_debian() {
    [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && debian_lld >/dev/null &&
        [ -d "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/core" ]
}

debian_lld() { ls /usr/bin/ld.lld-2* /usr/bin/ld.lld 2>/dev/null | head -n 1 | grep .; }

route=${FIRMWARE_ROUTE:-}
if [ -z "$route" ]; then
    if has_target; then route=rustup
    elif has_debian; then route=debian
    else
        say "no toolchain for $target: run \"rustup target add $target\","
        say "or install Debian's rustc-web, cargo-web, rust-web-src and lld-22"
        exit 2
    fi
fi

cargo=cargo
rustc=rustc
case $route in
rustup)
    has_target || { say "rustc has no standard library for $target"; exit 2; } ;;
debian)
    has_debian || { say "rustc-web, cargo-web, rust-web-src or lld-22 is missing"; exit 2; }
    cargo=/usr/bin/cargo
    rustc=/usr/bin/rustc
    RUSTC=$rustc
    # build-std is an unstable option; the compiler is a stable one all the same.
    RUSTC_BOOTSTRAP=1
    export RUSTC RUSTC_BOOTSTRAP ;;
*)
    say "FIRMWARE_ROUTE is rustup or debian, not $route"
    exit 2 ;;
esac

if [ "$mode" = --test ]; then
    host=$($rustc -vV | sed -n 's/^host: //p')
    exec "$cargo" test --locked --package oceanremote-logic --target "$host"
fi

# The application descriptor holds the time of the build; a fixed one keeps the image reproducible.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1767225600}
export SOURCE_DATE_EPOCH

# Panic messages hold paths of source files: none of this machine's.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
"$cargo" fetch --locked --target $target >&2
set -- --config "target.$target.rustflags=['--remap-path-prefix=$here=firmware-under-test']"
for sources in "$cargo_home"/registry/src/*; do
    set -- "$@" --config "target.$target.rustflags=['--remap-path-prefix=$sources=crates']"
done
if [ $route = debian ]; then
    library=$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust
    set -- "$@" -Z build-std=core,alloc --config "target.$target.linker='$(debian_lld)'"
    for sources in "$library" "$(cd "$library" && pwd -P)"; do
        set -- "$@" --config "target.$target.rustflags=['--remap-path-prefix=$sources=rust']"
    done
fi

"$cargo" build --locked --release "$@" >&2

elf=$built/$target/release/oceanremote-device
if [ "$mode" = --fixture ]; then
    gzip -n -9 -c "$elf" >"$here/../fixtures/oceanremote-device.elf.gz"
    cd "$here/../fixtures"
    sum() { sha256sum "$1" | cut -d ' ' -f 1; }
    size() { wc -c <"$1" | tr -d ' '; }
    gz=oceanremote-device.elf.gz
    sed -i -e "s/^| toolchain |.*/| toolchain | $($rustc --version) |/" \
        -e "s/^| SHA-256 of the ELF |.*/| SHA-256 of the ELF | \`$(sum "$elf")\` |/" \
        -e "s/^| SHA-256 of the \`.gz\` |.*/| SHA-256 of the \`.gz\` | \`$(sum $gz)\` |/" \
        -e "s/^| size |.*/| size | $(size "$elf") bytes, compressed $(size $gz) |/" README.md
    # The two guests of `oceanrig bench`.
    cd "$here"
    "$cargo" build --locked --release --example compute --example delay "$@" >&2
    for guest in compute delay; do
        gzip -n -9 -c "$built/$target/release/examples/$guest" >"$here/../fixtures/bench-$guest.elf.gz"
    done
fi
if [ -n "$copy" ]; then
    mkdir -p "$(dirname "$copy")"
    cp "$elf" "$copy"
fi
echo "$elf"
