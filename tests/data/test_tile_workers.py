"""Images are read by several processes as by one, and a run that is killed can be continued."""

import errno
import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpbench.core.errors import ContractError, DataError
from gpbench.data import tile_workers
from gpbench.data.image_listing import list_images
from gpbench.data.tile_reading import ReadError
from gpbench.data.tile_store import TileStore, write_store
from gpbench.data.tile_workers import Readers, jobs_for
from tests.data.held import HeldDataset, PictureFolder

N_IMAGES = 60
CHECKOUT = Path(__file__).parents[2]
WRITE = """
import sys
from pathlib import Path
from gpbench.data.tile_writer import write_store
from tests.data.held import PictureFolder

folder = PictureFolder(Path(sys.argv[1]))

def wait(done, _all):
    if done == int(sys.argv[4]):
        print(done, flush=True)
        sys.stdin.read()

write_store(
    Path(sys.argv[2]), folder.dataset, folder.root, wait,
    selector=folder.selector, jobs=int(sys.argv[3]),
)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> PictureFolder:
    """Images that take some milliseconds each, and go to a worker a few at a time."""
    return PictureFolder.written(tmp_path_factory.mktemp("raw") / "f", N_IMAGES, side_px=300)


@pytest.fixture(scope="module")
def undisturbed(folder: PictureFolder, tmp_path_factory: pytest.TempPathFactory) -> TileStore:
    place = tmp_path_factory.mktemp("undisturbed") / "s"
    write_store(place, folder.dataset, folder.root)
    return TileStore.open(place)


def continued(place: Path, folder: PictureFolder, jobs: int = 1) -> tuple[TileStore, int]:
    """Return the store that one more call leaves, and the first number of images it says.

    So many it found stored; 1 may also be the first that it read.
    """
    seen: list[int] = []
    write_store(
        place,
        folder.dataset,
        folder.root,
        lambda done, _all: seen.append(done),
        selector=folder.selector,
        jobs=jobs,
    )
    assert sorted(path.name for path in place.parent.iterdir()) == [".s.lock", "s"]
    store = TileStore.open(place)
    store.verify_content()
    return store, seen[0]


class Running:
    """A process that writes a store until so many images are done, and waits there.

    It has a process group of its own.
    """

    def __init__(self, folder: PictureFolder, place: Path, jobs: int, images: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITE, *map(str, (folder.root, place, jobs, images))],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

        assert self.process.stdout
        assert self.process.stdout.readline() == f"{images}\n"

    def signal_all(self, number: int) -> None:
        os.killpg(self.process.pid, number)

    def end(self) -> str:
        """Wait for the process and all it started, and return what it said on stderr."""
        _, said = self.process.communicate(timeout=60)
        for _ in range(600):
            try:
                self.signal_all(0)
            except ProcessLookupError:
                return said
            time.sleep(0.1)
        pytest.fail("a worker outlives the process that started it")


@pytest.mark.parametrize(
    ("processors", "images", "jobs"),
    [(4, 0, 1), (4, 15, 1), (4, 16, 2), (4, 39, 4), (4, 10**6, 4), (1, 10**6, 1)],
)
def test_there_is_a_process_for_eight_images_up_to_the_processors(
    monkeypatch: pytest.MonkeyPatch, processors: int, images: int, jobs: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(processors)))
    assert jobs_for(images) == jobs


def test_several_processes_need_a_name_by_which_to_load_the_dataset(
    held: HeldDataset, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="2 jobs, and selector None"):
        write_store(tmp_path / "s", held, tmp_path, jobs=2)
    with pytest.raises(ValueError, match="0 jobs"):
        write_store(tmp_path / "s", held, tmp_path, jobs=0)


def test_small_images_go_to_a_worker_together_and_large_ones_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = PictureFolder.written(tmp_path, 40, side_px=4)
    images = list_images(folder.dataset, tmp_path).images
    batches = list(tile_workers._batches(images, tmp_path))
    assert [len(batch) for batch in batches] == [16, 16, 8]
    assert tuple(listed for batch in batches for listed in batch) == images
    monkeypatch.setattr(tile_workers, "BATCH_BYTES", 1)
    assert len(list(tile_workers._batches(images, tmp_path))) == 40


def test_what_a_worker_raises_survives_the_way_to_its_parent() -> None:
    assert str(pickle.loads(pickle.dumps(ReadError("reading x")))) == "reading x"  # noqa: S301  ours


@pytest.mark.slow
def test_two_processes_make_the_store_that_one_makes(
    folder: PictureFolder, undisturbed: TileStore, tmp_path: Path
) -> None:
    store, _ = continued(tmp_path / "s", folder, jobs=2)
    assert store.content_hash == undisturbed.content_hash
    for mine, theirs in zip(store.info.images, undisturbed.info.images, strict=True):
        for ours, others in zip(
            store.read(mine.index), undisturbed.read(theirs.index), strict=True
        ):
            assert (ours == others).all()


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_killed_after_any_image_is_continued_to_the_same_store(
    folder: PictureFolder, undisturbed: TileStore, tmp_path: Path, jobs: int
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"{seed = }")  # noqa: T201  pytest shows it where the test fails
    moments = sorted(random.Random(seed).sample(range(2, N_IMAGES), 2))
    killed = []
    for images in moments:
        running = Running(folder, tmp_path / "s", jobs, images)
        killed.append(running)
        running.process.kill()  # its workers are not: they are to notice
        running.process.wait()
    store, found = continued(tmp_path / "s", folder, jobs)
    assert store.content_hash == undisturbed.content_hash
    assert found == moments[1]
    for running in killed:
        running.end()


@pytest.mark.slow
def test_ctrl_c_ends_all_processes_keeps_what_was_done_and_is_said_once(
    folder: PictureFolder, undisturbed: TileStore, tmp_path: Path
) -> None:
    running = Running(folder, tmp_path / "s", jobs=2, images=5)
    running.signal_all(signal.SIGINT)
    said = running.end()
    assert running.process.returncode == -signal.SIGINT
    assert said.count("Traceback") == 1
    assert (tmp_path / ".s.partial").is_dir()
    store, found = continued(tmp_path / "s", folder)
    assert found == 5
    assert store.content_hash == undisturbed.content_hash


@pytest.mark.slow
def test_a_worker_that_dies_is_an_error_and_what_was_stored_is_kept(
    folder: PictureFolder, undisturbed: TileStore, tmp_path: Path
) -> None:
    noted: list[int] = []

    def kill_a_worker(done: int, _all: int) -> None:
        noted.append(done)
        if done == 2:
            os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)

    said = "pictures: a process that reads images died, at one of t.*--jobs 1.*next run continues"
    with pytest.raises(DataError, match=said):
        write_store(
            tmp_path / "s",
            folder.dataset,
            folder.root,
            kill_a_worker,
            selector=folder.selector,
            jobs=2,
        )
    store, found = continued(tmp_path / "s", folder)
    assert found == noted[-1]
    assert store.content_hash == undisturbed.content_hash


def test_nothing_is_said_to_be_kept_where_nothing_is_written(
    folder: PictureFolder,
) -> None:
    images = list_images(folder.dataset, folder.root).images
    said = [str(tile_workers._died("P", [images], kept=kept)) for kept in (True, False)]
    assert ["are kept" in text for text in said] == [True, False]


@pytest.mark.parametrize("what", ["Event", "Process"])
def test_processes_that_cannot_be_started_are_an_error_with_its_mend(
    folder: PictureFolder, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tile_workers._SPAWN, what, refuse)
    readers = Readers(folder.dataset, folder.root, folder.selector, jobs=2)
    said = "pictures: 2 processes that read images cannot be started: .*No space.*--jobs 1"
    with pytest.raises(DataError, match=said):
        list(readers.read(list_images(folder.dataset, folder.root).images, files=None))


@pytest.mark.slow
def test_a_dataset_that_a_worker_cannot_load_is_said_with_the_reason(tmp_path: Path) -> None:
    folder = PictureFolder.written(tmp_path / "raw", 20)
    readers = Readers(folder.dataset, folder.root, folder.selector, jobs=2)
    images = list_images(folder.dataset, folder.root).images
    (folder.root / "card.yaml").unlink()
    with pytest.raises(ContractError, match=r"a worker cannot load it: .*card\.yaml"):
        list(readers.read(images, files=None))
