"""ImageNet in all the ways in which it lies on disks: one set of images, one fingerprint."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import struct
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from gpbench.api import DataError, DatasetNotFoundError, SourceRef
from gpbench.planning import source_fingerprint
from gpbench_datasets.sources.imagenet_1k import PLUGIN
from tests.datasets.miniatures.sources import (
    WNIDS,
    imagenet_folders,
    imagenet_images,
    imagenet_official_tar,
    imagenet_shards,
    imagenet_split_tar,
    imagenet_tar_per_class,
    picture,
    tar_bytes,
    write_files,
)

Write = Callable[[Path], Path]
LAYOUTS: dict[str, Write] = {
    "folders": imagenet_folders,
    "tar-per-class": imagenet_tar_per_class,
    "official-tar": imagenet_official_tar,
    "split-tar": imagenet_split_tar,
    "shards": imagenet_shards,
}
FIRST, SECOND = "n01440764", "n02119789"


@pytest.fixture(params=LAYOUTS)
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return LAYOUTS[request.param](tmp_path / "imagenet-1k")


def told(root: Path) -> list[tuple[str, int | None]]:
    return [(ref.name, ref.label) for ref in PLUGIN.images(root, "labelled")]


def pixels(root: Path) -> dict[str, NDArray[np.uint8]]:
    return {ref.name: PLUGIN.read(root, ref) for ref in PLUGIN.images(root, "labelled")}


def two_classes() -> dict[str, bytes]:
    return {f"{FIRST}/a.JPEG": picture(0, "a"), f"{SECOND}/b.JPEG": picture(1, "b")}


# --- the same in all layouts ---


def test_every_layout_has_the_names_labels_and_sizes_of_the_folders(root: Path) -> None:
    images = imagenet_images()
    ranks = {wnid: rank for rank, wnid in enumerate(WNIDS)}
    refs = PLUGIN.images(root, "labelled")
    assert [(ref.name, ref.label, ref.size_bytes) for ref in refs] == [
        (name, ranks[name[:9]], len(images[name])) for name in sorted(images)
    ]


def test_every_layout_has_the_fingerprint_of_the_folders(root: Path, tmp_path: Path) -> None:
    folders = imagenet_folders(tmp_path / "folders")
    for role in PLUGIN.info.roles:
        assert source_fingerprint(PLUGIN, root, role) == source_fingerprint(PLUGIN, folders, role)


def test_every_layout_has_the_pixels_of_the_folders(root: Path, tmp_path: Path) -> None:
    expected = pixels(imagenet_folders(tmp_path / "folders"))
    found = pixels(root)
    assert found.keys() == expected.keys()
    for name, image in found.items():
        np.testing.assert_array_equal(image, expected[name])


def test_unlabelled_images_are_the_same_without_labels(root: Path) -> None:
    labelled, unlabelled = (PLUGIN.images(root, role) for role in PLUGIN.info.roles)
    assert [ref.name for ref in unlabelled] == [ref.name for ref in labelled]
    assert {ref.label for ref in unlabelled} == {None}
    np.testing.assert_array_equal(PLUGIN.read(root, unlabelled[3]), PLUGIN.read(root, labelled[3]))


def test_eight_threads_read_what_one_reads(root: Path) -> None:
    refs = [*PLUGIN.images(root, "labelled")] * 10
    expected = pixels(root)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda ref: PLUGIN.read(root, ref), refs))
    for ref, image in zip(refs, found, strict=True):
        np.testing.assert_array_equal(image, expected[ref.name])


def test_image_may_come_smaller_but_not_smaller_than_asked(root: Path) -> None:
    ref = PLUGIN.images(root, "labelled")[0]
    whole, small = PLUGIN.read(root, ref), PLUGIN.read(root, ref, 20)
    assert 20 <= min(small.shape[:2]) < min(whole.shape[:2])


# --- where it lies ---


@pytest.mark.parametrize(
    "top",
    ["", "train", "ILSVRC2012_img_train", "ILSVRC/Data/CLS-LOC/train", "Data/CLS-LOC/train"],
)
def test_folders_are_found_where_people_put_them(tmp_path: Path, top: str) -> None:
    write_files(tmp_path / top, imagenet_images())
    write_files(tmp_path, {"ILSVRC2012_devkit_t12.tar.gz": b"", "val/x.JPEG": b"no training image"})
    refs = PLUGIN.images(tmp_path, "labelled")
    assert len(refs) == 20
    assert PLUGIN.read(tmp_path, refs[0]).shape[2] == 3


def test_folders_are_read_and_not_the_tar_that_they_came_from(tmp_path: Path) -> None:
    imagenet_official_tar(imagenet_folders(tmp_path))
    assert {ref.offset for ref in PLUGIN.images(tmp_path, "labelled")} == {None}


def test_shards_without_train_in_their_names_are_read_in_train(tmp_path: Path) -> None:
    imagenet_shards(tmp_path)
    (tmp_path / "train").mkdir()
    for n, shard in enumerate(sorted(tmp_path.glob("*.tar"))):
        shard.rename(tmp_path / "train" / f"{n}.tar")
    write_files(tmp_path, {"train/validation.tar": b"no training images"})
    assert len(PLUGIN.images(tmp_path, "labelled")) == 20


def test_validation_and_the_dogs_of_task_3_are_left_alone(tmp_path: Path) -> None:
    imagenet_split_tar(tmp_path)
    (tmp_path / "train.tar").rename(tmp_path / "train_latest.tar")
    for name in (
        "train_val.tar",
        "ILSVRC_trainval.tar",
        "ILSVRC2012_img_train_t3.tar",
        "._train.tar",
        "x.tar",
    ):
        write_files(tmp_path, {name: b"not read"})
    assert len(PLUGIN.images(tmp_path, "labelled")) == 20


def test_images_a_folder_deeper_and_with_another_suffix_keep_their_names(tmp_path: Path) -> None:
    images = {
        f"{name[:9]}/images/{Path(name).stem}.jpg": data for name, data in imagenet_images().items()
    }
    write_files(tmp_path / "train", images)
    assert {name for name, _ in told(tmp_path)} == set(imagenet_images())


def test_archives_of_hugging_face_append_the_class_to_the_name(tmp_path: Path) -> None:
    images = {
        f"{Path(name).stem}_{name[:9]}.JPEG": data for name, data in imagenet_images().items()
    }
    write_files(tmp_path, {"train_images_0.tar": tar_bytes(images)})
    imagenet_folders(tmp_path / "folders")
    assert told(tmp_path) == told(tmp_path / "folders")


def test_odd_names_and_hidden_files_are_the_same_in_folders_and_tars(tmp_path: Path) -> None:
    files = two_classes() | {
        f"{FIRST}/fish & chips (ü).JPEG": picture(0, "c"),
        f"{FIRST}/._a.JPEG": b"macOS",
        f"{FIRST}/.DS_Store": b"macOS",
    }
    write_files(tmp_path / "folders", files)
    write_files(tmp_path / "tar", {"train.tar": tar_bytes(files)})
    assert len(told(tmp_path / "folders")) == 3
    assert told(tmp_path / "tar") == told(tmp_path / "folders")


# --- classes ---


def test_class_indices_of_a_subset_count_from_0(tmp_path: Path) -> None:
    refs = PLUGIN.images(imagenet_shards(tmp_path, wnid_keys=False), "labelled")
    kinds = {f"s{i:07d}.jpg": i % 3 for i in range(20)}
    assert {ref.name: ref.label for ref in refs} == kinds


def test_shards_whose_classes_nothing_tells_serve_unlabelled_images_only(tmp_path: Path) -> None:
    write_files(tmp_path, {"train.tar": tar_bytes({"1.jpg": picture(0, "1"), "1.json": b"{}"})})
    assert len(PLUGIN.images(tmp_path, "unlabelled")) == 1
    with pytest.raises(DataError, match=r"nothing tells the class of '1\.jpg' in .*train\.tar"):
        told(tmp_path)


@pytest.mark.parametrize("text", [b"tench", b"-1", b"1.5", b"true", b"[3]", b'{"label": "fish"}'])
def test_class_that_is_no_index_is_named(tmp_path: Path, text: bytes) -> None:
    files = {"1.jpg": picture(0, "1"), "1.cls": text}
    write_files(tmp_path, {"train.tar": tar_bytes(files)})
    with pytest.raises(DataError, match=r"train\.tar!1\.cls says that the class is .*whole number"):
        told(tmp_path)


def test_sample_with_two_images_is_named(tmp_path: Path) -> None:
    files = {"1.jpg": picture(0, "1"), "1.mask.png": picture(1, "2"), "1.cls": b"3"}
    write_files(tmp_path, {"train.tar": tar_bytes(files)})
    with pytest.raises(DataError, match=r"two images for the sample '1', '1\.jpg' and '1\.mask"):
        told(tmp_path)


def test_tars_that_name_classes_in_two_ways_are_refused(tmp_path: Path) -> None:
    files = {"1.jpg": picture(0, "1"), "1.cls": b"3", f"{FIRST}/a.JPEG": picture(0, "a")}
    write_files(tmp_path, {"train.tar": tar_bytes(files)})
    with pytest.raises(DataError, match=r"name classes in two ways, such as n01440764 and 3"):
        told(tmp_path)


@given(
    samples=st.dictionaries(
        st.text("abc012_-/", min_size=1, max_size=6)
        .filter(lambda key: key.strip("/") == key and "//" not in key)
        .map(lambda key: f"k{key}"),
        st.integers(0, 999),
        min_size=2,
        max_size=8,
    ).filter(lambda samples: len(set(samples.values())) > 1),
    order=st.randoms(use_true_random=False),
    as_json=st.booleans(),
)
def test_labels_are_found_by_key_in_whatever_order_the_members_lie(
    tmp_path_factory: pytest.TempPathFactory,
    samples: dict[str, int],
    order: random.Random,
    as_json: bool,  # noqa: FBT001  drawn
) -> None:
    ending = "json" if as_json else "cls"
    files = {}
    for key, index in samples.items():
        files[f"{key}.jpg"] = key.encode()
        files[f"{key}.{ending}"] = json.dumps({"label": index} if as_json else index).encode()
    names = list(files)
    order.shuffle(names)
    root = tmp_path_factory.mktemp("shards")
    write_files(root, {"train.tar": tar_bytes({name: files[name] for name in names})})
    ranks = {index: rank for rank, index in enumerate(sorted(set(samples.values())))}
    assert dict(told(root)) == {f"{key}.jpg": ranks[index] for key, index in samples.items()}


def test_single_class_is_no_labelled_source(tmp_path: Path) -> None:
    write_files(tmp_path, {f"train/{FIRST}.tar": tar_bytes({"a.JPEG": picture(0, "a")})})
    assert len(PLUGIN.images(tmp_path, "unlabelled")) == 1
    with pytest.raises(DataError, match="holds images of one class only"):
        told(tmp_path)


def test_more_than_1000_classes_are_another_imagenet(tmp_path: Path) -> None:
    files = {f"n{i:08d}/1.JPEG": b"" for i in range(1001)}
    write_files(tmp_path / "tar", {"train.tar": tar_bytes(files)})
    write_files(tmp_path / "folders", files)
    for root in (tmp_path / "tar", tmp_path / "folders"):
        with pytest.raises(DataError, match=r"holds 1,001 classes.* is it ImageNet-21k\?"):
            told(root)


def test_tiny_imagenet_sample_is_a_subset_that_works(samples: Path) -> None:
    root = samples / "tiny_imagenet_20c" / "tiny-imagenet-200"
    refs = PLUGIN.images(root, "labelled")
    assert sorted(Counter(ref.label for ref in refs).items()) == [(n, 150) for n in range(20)]
    assert all(PLUGIN.read(root, ref).shape == (64, 64, 3) for ref in refs[::30])


# --- what is wrong with it ---


def test_folder_that_is_no_class_is_named(tmp_path: Path) -> None:
    write_files(tmp_path, two_classes() | {"goldfish/1.JPEG": b""})
    with pytest.raises(DataError, match=r"the folder 'goldfish' among ImageNet's classes"):
        told(tmp_path)


def test_classes_by_other_names_are_not_imagenets(tmp_path: Path) -> None:
    write_files(tmp_path, {"train/tench/1.JPEG": b"", "train/goldfish/1.JPEG": b""})
    with pytest.raises(DatasetNotFoundError, match=r"its folders are goldfish, tench, not named"):
        told(tmp_path)


def test_empty_class_is_named(tmp_path: Path) -> None:
    write_files(tmp_path / "folders", two_classes())
    (tmp_path / "folders/n03445777").mkdir()
    write_files(tmp_path / "tars", {f"train/{FIRST}.tar": tar_bytes({"readme.txt": b""})})
    official = {f"{FIRST}.tar": tar_bytes({})}
    write_files(tmp_path / "official", {"ILSVRC2012_img_train.tar": tar_bytes(official)})
    for place, where in {
        "folders": r"folder .*n03445777",
        "tars": r"archive .*n01440764\.tar",
        "official": r"archive .*ILSVRC2012_img_train\.tar!n01440764\.tar",
    }.items():
        with pytest.raises(DataError, match=rf"the class {where} holds no image"):
            told(tmp_path / place)


def test_tars_that_are_unpacked_in_part_are_refused(tmp_path: Path) -> None:
    imagenet_tar_per_class(tmp_path)
    write_files(tmp_path / "train", {f"{FIRST}/a.JPEG": picture(0, "a")})
    with pytest.raises(DataError, match=r"1 classes are folders, and 2 are tars without a folder"):
        told(tmp_path)
    write_files(tmp_path / "train", dict.fromkeys((f"{wnid}/b.JPEG" for wnid in WNIDS), b""))
    assert len(told(tmp_path)) == 4


@pytest.mark.parametrize("other", ["val", "ILSVRC/Data/CLS-LOC/Validation", "test"])
@pytest.mark.parametrize("inner", [False, True], ids=["images", "tars"])
def test_tar_with_validation_images_is_refused(
    tmp_path: Path,
    other: str,
    inner: bool,  # noqa: FBT001  parametrised
) -> None:
    name, data = f"{other}/{FIRST}/{FIRST}_val.JPEG", picture(0, "v")
    if inner:
        name, data = f"{other}/{FIRST}.tar", tar_bytes({"a.JPEG": data})
    write_files(tmp_path, {"train.tar": tar_bytes(two_classes() | {name: data})})
    with pytest.raises(DataError, match=rf"train\.tar holds '{name}' in .* are not trained on"):
        told(tmp_path)


def test_image_that_is_there_twice_is_named(tmp_path: Path) -> None:
    imagenet_shards(tmp_path)
    shutil.copy(tmp_path / "imagenet1k-train-0001.tar", tmp_path / "train-copy.tar")
    with pytest.raises(DataError, match=r"JPEG' is there twice, in imagenet1k-train-0001\.tar at "):
        told(tmp_path)


def test_image_that_is_there_with_two_suffixes_is_named(tmp_path: Path) -> None:
    names = (f"{FIRST}/{FIRST}_1.JPEG", f"{FIRST}/{FIRST}_1.jpg")
    write_files(tmp_path, two_classes() | dict.fromkeys(names, b""))
    with pytest.raises(DataError, match=rf"is there twice, in {names[0]} and {names[1]}: remove"):
        told(tmp_path)


def test_cut_off_download_is_named(tmp_path: Path) -> None:
    imagenet_official_tar(tmp_path)
    tar = tmp_path / "ILSVRC2012_img_train.tar"
    tar.write_bytes(tar.read_bytes()[: tar.stat().st_size // 2])
    with pytest.raises(DataError, match=r"ILSVRC2012_img_train\.tar is damaged or cut off at 'n"):
        told(tmp_path)


def test_damaged_image_is_named_with_its_archive(tmp_path: Path) -> None:
    files = two_classes() | {f"{FIRST}/{FIRST}_7.JPEG": picture(0, "7")[:400]}
    write_files(tmp_path, {"train.tar": tar_bytes(files)})
    ref = next(ref for ref in PLUGIN.images(tmp_path, "labelled") if "_7" in ref.name)
    with pytest.raises(DataError, match=rf"train\.tar!{FIRST}/{FIRST}_7\.JPEG cannot be decoded"):
        PLUGIN.read(tmp_path, ref)


def test_missing_data_says_how_to_get_it(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "absent", Path("/dev/null/no-folder-is-known")):
        with pytest.raises(DatasetNotFoundError, match=r"image-net\.org.*train/n01440764.*root"):
            told(root)


def test_archives_that_cannot_be_read_in_place_come_with_the_command(tmp_path: Path) -> None:
    write_files(tmp_path, {"ILSVRC2012_img_train.tar.gz": b"", "ILSVRC/kaggle.zip": b""})
    with pytest.raises(DatasetNotFoundError) as caught:
        told(tmp_path)
    assert f"gunzip {tmp_path}/ILSVRC2012_img_train.tar.gz" in str(caught.value)
    assert f"unzip -n {tmp_path}/ILSVRC/kaggle.zip -d {tmp_path}/ILSVRC" in str(caught.value)


# --- listing tars once ---


def test_tars_are_listed_once_as_long_as_they_do_not_change(tmp_path: Path) -> None:
    imagenet_split_tar(tmp_path)
    tar, before = tmp_path / "train.tar", told(tmp_path)
    status = tar.stat()
    tar.write_bytes(bytes(status.st_size))
    os.utime(tar, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert told(tmp_path) == before
    imagenet_split_tar(tmp_path, n_images=21)
    assert len(told(tmp_path)) == 21


# --- the oddities of its files ---


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def half_and_half() -> Image.Image:
    """Return 64 x 96 pixels, red above and blue below."""
    image = Image.new("RGB", (96, 64), (250, 5, 5))
    image.paste((5, 5, 250), (0, 32, 96, 64))
    return image


def turned(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    return encoded(image.rotate(90, expand=True), exif=exif, quality=95)


def with_broken_exif(image: Image.Image) -> bytes:
    data = encoded(image, quality=95)
    junk = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff junk that is no directory"
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(junk) + 2) + junk + data[2:]


ODDITIES: dict[str, Callable[[Image.Image], bytes]] = {
    "plain": lambda image: encoded(image, quality=95),
    "png-named-jpeg": lambda image: encoded(image, "PNG"),
    "cmyk": lambda image: encoded(image.convert("CMYK"), quality=95),
    "turned": turned,
    "broken-exif": with_broken_exif,
}


@pytest.mark.parametrize("oddity", ODDITIES)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "tar"])
def test_odd_file_is_read_upright_in_its_colours(
    tmp_path: Path,
    oddity: str,
    packed: bool,  # noqa: FBT001  parametrised
) -> None:
    image = odd_image(tmp_path, ODDITIES[oddity](half_and_half()), packed=packed)
    assert image.shape == (64, 96, 3)
    np.testing.assert_allclose(image[:28].mean(axis=(0, 1)), (250, 5, 5), atol=4)
    np.testing.assert_allclose(image[36:].mean(axis=(0, 1)), (5, 5, 250), atol=4)


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "tar"])
def test_grey_and_16_bit_files_come_as_three_channels_of_8_bits(
    tmp_path: Path,
    packed: bool,  # noqa: FBT001  parametrised
) -> None:
    deep = Image.fromarray(np.full((64, 64), 0x4D12, dtype=np.uint16))
    for data in (encoded(Image.new("L", (64, 64), 77)), encoded(deep, "PNG")):
        image = odd_image(tmp_path, data, packed=packed)
        assert image.shape == (64, 64, 3)
        assert np.unique(image).tolist() == [77]


def odd_image(root: Path, data: bytes, *, packed: bool) -> NDArray[np.uint8]:
    files = two_classes() | {f"{FIRST}/odd.JPEG": data}
    write_files(root, {"train.tar": tar_bytes(files)} if packed else files)
    refs: dict[str, SourceRef] = {ref.name: ref for ref in PLUGIN.images(root, "labelled")}
    return PLUGIN.read(root, refs[f"{FIRST}/odd.JPEG"])
