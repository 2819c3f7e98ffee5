#!/usr/bin/env bash
# Pre-trains `imagenet` and `generalised` on a folder of natural images and fine-tunes them, with four
# ways to bring RGB kernels to other bands, on trees, potholes and roads; then compares and builds the
# site.
#
#   configs/real-run/real-run.sh SAMPLES [WORKDIR]
#
# SAMPLES holds tiny_imagenet_20c/tiny-imagenet-200 (ImageNet layout), urban_trees_naip4 (images, split
# lists) with urban_trees_naip4_masks_DERIVED, stereo_potholes_quarter_DERIVED and roads_eth_cil. The
# same call again continues or shows.
set -euo pipefail
samples="$(realpath "${1:?usage: real-run.sh SAMPLES [WORKDIR]}")"
export GPBENCH_WORKDIR="${2:-real-run-work}"
configs="$(dirname "$(realpath "$0")")"

gpbench run -c "$configs/real-run.yaml" \
  --source "labelled=folder[root=$samples/tiny_imagenet_20c/tiny-imagenet-200]" \
  --data-root "folder:urban-trees=$samples/urban_trees_naip4" \
  --data-root "folder:stereo-potholes=$samples/stereo_potholes_quarter_DERIVED" \
  --data-root "folder:roads=$samples/roads_eth_cil"
gpbench compare 'imagenet[inflate=mean]' 'imagenet[inflate=zero]' 'imagenet[inflate=random]' \
  generalised --baseline imagenet
gpbench leaderboard build
