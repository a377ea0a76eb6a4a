#!/bin/sh
# A wheel of `make wheel` in a fresh Debian that has Python and neither compiler nor linker: its README's example runs
# and finds nothing, and without its barrier it finds the race. As root, where debootstrap is installed:
#
#   tests/wheel/clean_root.sh build/wheel/dist/metal_check-….whl FOLDER
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
wheel=$(realpath "$1")
root=$2

[ -d "$root/usr" ] || debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root"
rm -rf "$root/try/wheels" "$root/root/.cache" # what an earlier run left
mkdir -p "$root/try/wheels"
"$here/build/wheel/venv/bin/python" -m pip download -q --no-cache-dir --only-binary :all: -d "$root/try/wheels" "$wheel[compiler]"
sed -n '/^```python/,/^```$/p' "$here/python/README.md" | sed '/^```/d' > "$root/try/rows.py"
sed '/threadgroup_barrier/d' "$root/try/rows.py" > "$root/try/wrong.py"

mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
trap 'umount "$root/proc"' EXIT
chroot "$root" sh -euc '
    for program in clang clang++ gcc cc ld zig; do ! command -v $program || { echo "$program is here"; exit 1; }; done
    cd /try
    [ -d venv ] || python3 -m venv venv
    venv/bin/pip install -q --no-cache-dir --no-index --find-links wheels --force-reinstall "metal-check[compiler]"
    date +"%T first run"
    venv/bin/python rows.py
    date +"%T second run"
    venv/bin/python rows.py
    date +"%T the race"
    venv/bin/python wrong.py
    date +"%T the command"
    printf "#include <metal_stdlib>\nkernel void f(device float *x [[buffer(0)]]) { x[1] = 0; }\n" > f.metal
    venv/bin/metal-check f.metal --kernel f --grid 1 --threads 1 --buffer 0=zeros:f32:1 || [ $? = 1 ]
'
