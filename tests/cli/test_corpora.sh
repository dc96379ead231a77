#!/usr/bin/env bash
# The committed corpus is what its generator makes, and its questions point into it.
set -euo pipefail
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 0; }
PYTHONDONTWRITEBYTECODE=1 python3 "$TERN_SOURCE_DIR/corpora/skerravoe/generate.py" --check
