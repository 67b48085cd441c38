# shellcheck shell=sh
# What ./demo, ./test and .ci/run need on a machine that has nothing but Rust. Sourced, not run; needs $root.
#
# Leaves behind, exported where they are needed:
#   PG_BIN                      the folder of PostgreSQL's programs, where they had to be fetched
#   WASMIGRATE_GUEST_CARGO      the cargo, and
#   WASMIGRATE_GUEST_RUSTC      the compiler, that `wasmigrate build` runs in place of `cargo` and `rustc`, where the installed
#                               toolchain cannot get the WebAssembly target
# What it installs, and that only as root, it says on stderr.

: "${root:?is set by the script that sources this}"

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "error: $1"
    [ -z "${2:-}" ] || say "hint: $2"
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

may_install() { [ "$(id -u)" = 0 ] && has apt-get; }

apt_updated=
install() {
    may_install || return 1
    say "installing $* (apt-get)"
    if [ -z "$apt_updated" ]; then
        apt-get update -q </dev/null >&2 || true
        apt_updated=yes
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" </dev/null >&2
}

need_rust() {
    for program in cargo rustc; do
        has "$program" || fail "Rust is not installed: no $program on the PATH" "install it as rustup.rs says, or correct PATH"
    done
    # some crates compile C
    has cc || has gcc || has clang || install gcc libc6-dev || fail "no C compiler is installed" "apt-get install gcc libc6-dev"
}

libclang_is_there() {
    [ -z "${LIBCLANG_PATH:-}" ] || return 0
    # the same places as the crate clang-sys looks in
    for file in /usr/lib/llvm-*/lib/libclang[.-]*so* /usr/lib/*/libclang[.-]*so* /usr/lib64/libclang[.-]*so* /usr/lib/libclang[.-]*so*; do
        case $file in
        # another library, which the glob finds too
        */libclang-cpp.*) ;;
        *) [ ! -e "$file" ] || return 0 ;;
        esac
    done
    return 1
}

# the bindings of PostgreSQL's grammar are made with libclang; a compiler's own headers serve it where it has none
need_grammar() {
    if ! libclang_is_there; then
        version=$(apt-cache search --names-only '^libclang1-[0-9]+$' 2>/dev/null | sed 's/^libclang1-\([0-9]*\).*/\1/' | sort -n | tail -n 1)
        if [ -z "$version" ] || ! install "libclang1-$version" "libclang-common-$version-dev" || ! libclang_is_there; then
            LIBCLANG_PATH=$("$root/scripts/libclang") || exit 1
            export LIBCLANG_PATH
        fi
    fi
    set -- /usr/lib/llvm-*/lib/clang/*/include /usr/lib/clang/*/include
    [ -e "$1" ] || [ -e "${2:-}" ] || [ -n "${BINDGEN_EXTRA_CLANG_ARGS:-}" ] || {
        BINDGEN_EXTRA_CLANG_ARGS="-I$(cc -print-file-name=include)"
        export BINDGEN_EXTRA_CLANG_ARGS
    }
    ! has protoc || say "protoc is on the PATH: the build of PostgreSQL's grammar will use it; take it off if that fails"
}

wasm_target_is_there() { [ -d "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown/lib" ]; }

need_wasm_target() {
    [ -z "${WASMIGRATE_GUEST_CARGO:-}" ] || return 0
    ! wasm_target_is_there || return 0
    if has rustup; then
        say "adding the target wasm32-unknown-unknown (rustup)"
        rustup target add wasm32-unknown-unknown </dev/null >&2 || true
        ! wasm_target_is_there || return 0
    fi
    say "the target could not be added; using Debian's compiler for the web instead"
    if ! dpkg -s rustc-web cargo-web rust-web-src lld-19 >/dev/null 2>&1; then
        install rustc-web cargo-web rust-web-src lld-19 ||
            fail "the Rust target wasm32-unknown-unknown is missing" \
                "rustup target add wasm32-unknown-unknown, or as root: apt-get install rustc-web cargo-web rust-web-src lld-19"
    fi
    WASMIGRATE_GUEST_CARGO="$root/scripts/cargo-web"
    WASMIGRATE_GUEST_RUSTC=/usr/bin/rustc
    export WASMIGRATE_GUEST_CARGO WASMIGRATE_GUEST_RUSTC
}

# the same places as host/src/embedded/programs.rs
postgres_is_there() {
    [ -z "${PG_BIN:-}" ] || return 0
    for folder in "$(pg_config --bindir 2>/dev/null)" "$(dirname "$(command -v initdb 2>/dev/null || echo /)")" /usr/lib/postgresql/*/bin; do
        [ ! -x "$folder/initdb" ] || [ ! -x "$folder/postgres" ] || return 0
    done
    return 1
}

need_postgres() {
    ! postgres_is_there || return 0
    if may_install && install postgresql-common; then
        # a server of ours is started when needed; none has to run all the time
        conf=/etc/postgresql-common/createcluster.conf
        [ ! -w "$conf" ] || sed -i 's/^#\{0,1\}create_main_cluster.*/create_main_cluster = false/' "$conf"
        install postgresql || true
        ! postgres_is_there || return 0
    fi
    say "PostgreSQL is not installed"
    PG_BIN=$("$root/scripts/postgres" 18) || fail "no PostgreSQL to be had" "apt-get install postgresql"
    export PG_BIN
}
