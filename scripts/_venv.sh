# Sourced by the scripts beside it: makes .venv/ in the repository once, and uses it from then on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1

pick_python() {
    local name
    for name in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
        if [ -n "$name" ] && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "Python 3.11 or newer is needed: install it, or name it with PYTHON=/path/to/python" >&2
    exit 2
}

# use_venv EXTRA: installs the package with that extra ("" for none) unless that was done already.
use_venv() {
    local extra="$1" wanted stamp
    wanted=$(cat pyproject.toml scripts/constraints.txt | sha256sum | cut -d' ' -f1)
    stamp=".venv/installed${extra:+-$extra}"
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        [ -x .venv/bin/python ] || "$(pick_python)" -m venv .venv
        install "$extra"
        echo "$wanted" >"$stamp"
    fi
    PATH="$PWD/.venv/bin:$PATH"
}

# llama.cpp goes first and alone: it is compiled where no wheel of it is cached, which takes longer
# than all the rest, and its time is said apart.
install() {
    local extra="$1" started=$SECONDS log=.venv/llama.log how="from a wheel" llama
    echo "Installing into .venv/ (the first time takes several minutes: torch and llama.cpp) …"
    export CMAKE_BUILD_PARALLEL_LEVEL="${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}"
    if ! .venv/bin/python -m pip install --no-deps -c scripts/constraints.txt llama-cpp-python \
        >"$log" 2>&1; then
        cat "$log" >&2
        return 1
    fi
    llama=$((SECONDS - started))
    if grep -q "already satisfied" "$log"; then
        how="there already"
    elif grep -q "Building wheel" "$log"; then
        how="compiled"
    fi
    .venv/bin/python -m pip install --quiet -c scripts/constraints.txt -e ".${extra:+[$extra]}"
    echo "Installed in $((SECONDS - started)) s, of which llama-cpp-python took $llama s ($how)"
}
