# Sourced by the commands of this folder: `python_of NAME` prints the Python of a virtual environment that holds requirements-NAME.txt.
# It is installed once; a changed file installs anew, and a failed installation is none. `here` is this folder. The peers need Python 3.11
# (TensorFlow 2.15 has no later one): `python3.11` or `python3`, whichever is one, or what $PYTHON names.
python_of() {
    local venv="$here/.venv/$1" wanted="$here/requirements-$1.txt" python
    if ! cmp -s "$venv/installed" "$wanted"; then
        python="$(python_3_11)" || return 1
        rm -rf "$venv"
        # Joined by hand: in a command substitution bash does not end at a command that fails.
        "$python" -m venv "$venv" &&
            "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" >&2 &&
            cp "$wanted" "$venv/installed" || { echo "$wanted could not be installed into $venv" >&2; return 1; }
    fi
    echo "$venv/bin/python"
}

python_3_11() {
    local python
    for python in ${PYTHON:-python3.11 python3}; do
        if "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    echo "Python 3.11 is missing: the peers have no packages for other versions; install it, or name one in PYTHON" >&2
    return 1
}
