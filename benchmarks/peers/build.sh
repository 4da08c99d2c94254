#!/bin/sh
# One environment for each peer, so that none decides the versions of another:
#   benchmarks/peers/build.sh FOLDER [NAME...]      all of them, or those named
# TORCH and TORCH_INDEX choose the build of torch, as in the Makefile.
set -eu
folder=${1:?"a folder for the environments"}
shift
python=${PYTHON:-python3.11}
index=${TORCH_INDEX:+--extra-index-url $TORCH_INDEX}

build() { # name, requirement...
    name=$1
    shift
    [ -e "$folder/$name/.ready" ] && return
    "$python" -m venv "$folder/$name"
    # shellcheck disable=SC2086  no index is no word
    "$folder/$name/bin/pip" install -qq $index "${TORCH:-torch}" "$@"
    touch "$folder/$name/.ready"
}

for peer in ${*:-transformer-lens nnsight pyvene steering-vectors}; do
    case $peer in
    transformer-lens) build "$peer" "transformer-lens==3.2.1" ;;
    nnsight) build "$peer" "nnsight==0.8.1" ;;
    pyvene) build "$peer" "pyvene==0.1.8" "transformers<5" ;;
    steering-vectors) build "$peer" "steering-vectors==0.12.2" "transformers<5" ;;
    *) echo "no such peer: $peer" >&2 && exit 2 ;;
    esac
done
