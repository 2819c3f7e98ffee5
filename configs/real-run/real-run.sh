#!/usr/bin/env bash
# Pre-trains `imagenet` and `generalised` on a folder of natural images and fine-tunes both on trees
# in RGB + near-infrared aerial images; then compares them and builds the site.
#
#   configs/real-run/real-run.sh SAMPLES [WORKDIR]
#
# SAMPLES holds tiny_imagenet_20c/tiny-imagenet-200 (ImageNet layout), urban_trees_naip4 (images,
# split lists) and urban_trees_naip4_masks_DERIVED (masks). The same call again continues or shows.
set -euo pipefail
samples="$(realpath "${1:?usage: real-run.sh SAMPLES [WORKDIR]}")"
export GPBENCH_WORKDIR="${2:-real-run-work}"
configs="$(dirname "$(realpath "$0")")"

gpbench run -c "$configs/real-run.yaml" \
  --source "labelled=folder[root=$samples/tiny_imagenet_20c/tiny-imagenet-200]" \
  --data-root "folder:urban-trees=$samples/urban_trees_naip4"
gpbench compare generalised --baseline imagenet
gpbench leaderboard build
