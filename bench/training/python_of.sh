# Sourced by the commands of this folder: `python_of NAME` prints the Python of a virtual environment that holds requirements-NAME.txt.
# It is installed once; a changed file installs anew. `here` is this folder.
python_of() {
    local venv="$here/.venv/$1" wanted="$here/requirements-$1.txt"
    if ! cmp -s "$venv/installed" "$wanted"; then
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" >&2
        cp "$wanted" "$venv/installed"
    fi
    echo "$venv/bin/python"
}
