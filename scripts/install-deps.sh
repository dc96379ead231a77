#!/usr/bin/env bash
# Install what tern needs from Debian's packages (Debian 12 or newer).
#   scripts/install-deps.sh          to build and run
#   scripts/install-deps.sh --test   also what the tests, fuzzers and benchmark peers need
# Uses sudo only when not root. On other systems it prints what is missing.
set -euo pipefail

packages=(build-essential cmake ninja-build pkg-config
          libjansson-dev libcurl4-openssl-dev libopenblas-pthread-dev libfaiss-dev libstemmer-dev
          libutf8proc-dev libxml2-dev libzstd-dev zlib1g-dev libmicrohttpd-dev libxxhash-dev
          libsentencepiece-dev libpcre2-dev
          poppler-utils ca-certificates)
[ "${1:-}" = --test ] &&
    packages+=(python3 curl zstd clang libclang-rt-14-dev libomp-14-dev libsqlite3-dev libxapian-dev sentencepiece libdnnl-dev)

if ! command -v apt-get >/dev/null; then
    echo "This system has no apt-get. Install the equivalents of: ${packages[*]}" >&2
    for library in jansson libcurl libutf8proc libxml-2.0 libzstd zlib libmicrohttpd libxxhash \
        sentencepiece libpcre2-8; do
        pkg-config --exists "$library" 2>/dev/null || echo "  pkg-config does not find: $library" >&2
    done
    exit 1
fi

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
        missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "need root to install: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
fi
echo "installing: ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
