#!/bin/sh
# Fetches the C++ tapes into a folder and prints what tells the build where they are:
#
#     eval "$(sh get-cpp.sh FOLDER)"
#     RUSTFLAGS="-C target-cpu=native" cargo run --release --features cpp
#
# CppAD and Stan Math come out of wheels that carry their headers, with pip and Python 3.11 on x86-64 Linux; ADOL-C comes from
# Debian, if this may install there. A tape that cannot be had is left out of the table.
set -eu
folder=${1:?name a folder}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

# As httpstan's wheel is built for one Python, its version is named, and not taken from the interpreter that runs pip.
python3 -m pip download --quiet --no-deps --dest "$folder" --only-binary :all: --python-version 3.11 \
    cmeel-cppad==20250000.2 httpstan==4.13.0 >&2
for wheel in "$folder"/cmeel_cppad-*.whl "$folder"/httpstan-*.whl; do
    python3 -m zipfile -e "$wheel" "$folder"
done
if ! dpkg -s libadolc-dev >/dev/null 2>&1; then
    apt-get install -y --no-install-recommends libadolc-dev >&2 || echo "ADOL-C cannot be installed here" >&2
fi

echo "export WENGERT_CPPAD_INCLUDE='$folder/cmeel.prefix/include'"
echo "export WENGERT_STAN_INCLUDE='$folder/httpstan/include'"
