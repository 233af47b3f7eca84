# Functions for the builds of guests, which source this file. A build leaves `target/guests/NAME.wasm`, does nothing if
# that is newer than all of its sources, and exits with 69 if a tool is missing, which it names.

set -euo pipefail
GUEST=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)
NAME=$(basename "$GUEST")
REPOSITORY=$(cd "$GUEST/../../.." && pwd)
OUT=$REPOSITORY/target/guests
WASM=$OUT/$NAME.wasm

missing() {
    echo "tests/guests/$NAME: LEFT OUT: $*" >&2
    exit 69
}

# up_to_date SOURCE ...: whether the program is newer than these sources, the guest itself and the contract.
up_to_date() {
    [ -f "$WASM" ] && [ -z "$(find "$GUEST" "$REPOSITORY/wit" "$REPOSITORY/tests/guests/common.sh" "$@" \
        \( -name node_modules -o -name .venv -o -name __pycache__ \) -prune -o -type f -newer "$WASM" -print -quit)" ]
}

# The directory of the world in `wit/guest.wit`, with the packages that it refers to.
world() {
    local world=$OUT/$NAME-wit
    rm -rf "$world"
    mkdir -p "$world/deps/onionskin-fs"
    cp "$REPOSITORY/tests/guests/wit/guest.wit" "$world"
    cp -r "$REPOSITORY/wit/deps/." "$world/deps"
    cp "$REPOSITORY"/wit/*.wit "$world/deps/onionskin-fs"
    echo "$world"
}

mkdir -p "$OUT"
