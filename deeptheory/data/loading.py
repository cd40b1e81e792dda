"""Loading the data set of the options: rendered glyphs, or files in one of several layouts."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from deeptheory.data import archive, cifar, folder, idx, npy, text_files
from deeptheory.data.dataset import Dataset
from deeptheory.data.glyphs import render
from deeptheory.data.sentences import generate
from deeptheory.data.vocabulary import Reading
from deeptheory.errors import InputError, unknown_name

if TYPE_CHECKING:
    from deeptheory.data.options import DataOptions


class Layout(NamedTuple):
    """A layout of a directory; a new one needs only an entry in `LAYOUTS`.

    Attributes
    ----------
    description : str
        For error messages.
    unpacked_name : str
        Directory in the official archive, "" if none.
    matches : callable
        Whether a directory has this layout.
    read : callable
        Reads the directory; the second argument is `quiet`, others are named in `takes`.
    takes : tuple of str
        What `read` takes besides: "resize", "reading".
    """

    description: str
    unpacked_name: str
    matches: Callable[[Path], bool]
    read: Callable[..., Dataset]
    takes: tuple[str, ...] = ()


def _is_image_folder(path: Path) -> bool:
    return folder.is_folder(path) and not text_files.is_folder(path)


LAYOUTS = (
    Layout(
        "CIFAR-10 binary (data_batch_1.bin, ...)",
        "cifar-10-batches-bin",
        cifar.is_binary_10,
        cifar.read_binary_10,
    ),
    Layout(
        "CIFAR-100 binary (train.bin, test.bin)",
        "cifar-100-binary",
        cifar.is_binary_100,
        cifar.read_binary_100,
    ),
    Layout(
        "CIFAR-10 python (data_batch_1, ...)", "cifar-10-batches-py", cifar.is_python_10, cifar.read_python_10
    ),
    Layout(
        "CIFAR-100 python (train, test, meta)", "cifar-100-python", cifar.is_python_100, cifar.read_python_100
    ),
    Layout("IDX (train-images-idx3-ubyte[.gz], ...)", "", idx.is_idx, idx.read_idx),
    Layout("image folder (train/LABEL/FILE)", "", _is_image_folder, folder.read_folder, ("resize",)),
    Layout("folder of texts (train/LABEL/FILE.txt)", "", text_files.is_folder, text_files.read, ("reading",)),
    Layout(
        "tables of texts (train.csv or train.jsonl)",
        "",
        text_files.is_tables,
        text_files.read,
        ("reading",),
    ),
    Layout("arrays (train_images.npy, ...)", "", npy.is_npy_folder, archive.read_folder_of_arrays),
)


def load(options: "DataOptions", quiet: bool = False) -> Dataset:
    """Render or read the data set.

    Parameters
    ----------
    options : DataOptions
    quiet : bool
        Show no progress.

    Raises
    ------
    InputError
        There is no readable data set at `options.path`, it is not the one that `options` describe, or an option
        is out of range.
    """
    if options.source not in SOURCES:
        raise unknown_name("data.source", options.source, SOURCES)
    return SOURCES[options.source](options, quiet)


def _glyphs(options: "DataOptions", quiet: bool) -> Dataset:
    refuse_resize(options.resize, "glyphs")
    return render(
        options.n_labels,
        options.size,
        options.train_per_label,
        options.test_per_label,
        options.seed,
        quiet,
    )


def _sentences(options: "DataOptions", quiet: bool) -> Dataset:
    del quiet
    refuse_resize(options.resize, "sentences")
    return generate(
        options.n_labels,
        options.length,
        options.words,
        options.train_per_label,
        options.test_per_label,
        options.noise,
        options.seed,
    )


def _files(options: "DataOptions", quiet: bool) -> Dataset:
    if not options.path:
        raise InputError("data.path", "the file or directory of the data set", "nothing", "set data.path")
    dataset = read_files(Path(options.path).expanduser(), quiet, options.resize, reading_of(options))
    _check_description(dataset, options)
    return dataset


# By `data.source`, from the options and `quiet`; others may join it.
SOURCES: dict[str, Callable[["DataOptions", bool], Dataset]] = {
    "glyphs": _glyphs,
    "sentences": _sentences,
    "files": _files,
}


def _check_description(dataset: Dataset, options: "DataOptions") -> None:
    """Refuse another data set than the options say."""
    height, width, _ = dataset.input_shape
    size = options.file_size
    for option, differs, expected, found in (
        (
            f"file_labels = {options.file_labels}",
            options.file_labels not in (0, dataset.n_labels),
            f"{options.file_labels} labels",
            f"{dataset.n_labels}",
        ),
        (
            f"file_size = {size}",
            size and (height, width) != (size, size),
            f"images of {size} x {size} pixels",
            f"{height} x {width}",
        ),
    ):
        if differs:
            do = f"name the data set that the configuration is for, or change data.{option}"
            raise InputError(f"data path {options.path}", expected, found, do)


def reading_of(options: "DataOptions") -> Reading:
    """How the options say that texts are read."""
    return Reading(options.length, options.longer, options.words, options.test_share, options.seed)


def read_files(path: Path, quiet: bool = False, resize: int = 0, reading: Reading | None = None) -> Dataset:
    """Read the data set at `path`: an archive file, a table of texts, or a directory in one of the `LAYOUTS`.

    Parameters
    ----------
    path : Path
    quiet : bool
        Show no progress.
    resize : int
        Side in pixels to which the images of a folder are scaled and cut (`folder.read_folder`); 0: as they are.
    reading : Reading, optional
        How texts become ids.

    Raises
    ------
    InputError
        No layout or more than one matches, a file of arrays lies beside it, files are damaged, or `resize` is
        given and it is no folder of images.
    """
    suffixes = (*archive.SUFFIXES, *text_files.TABLES)
    known = "; ".join([*(layout.description for layout in LAYOUTS), f"a file {', '.join(suffixes)}"])
    if path.is_file() and path.suffix in archive.SUFFIXES:
        refuse_resize(resize, "a file of arrays")
        return archive.read_archive(path)
    if path.is_file() and path.suffix.lower() in text_files.TABLES:
        refuse_resize(resize, "a table of texts")
        return text_files.read(path, quiet, reading)
    if not path.is_dir():
        there = path.exists()
        found = "a file of another kind" if there else "no such file or directory"
        do = "unpack an archive and name its directory" if there else ""
        raise InputError(f"data path {path}", f"one of: {known}", found, do)
    candidates = [(layout, path) for layout in LAYOUTS]
    candidates += [(layout, path / layout.unpacked_name) for layout in LAYOUTS if layout.unpacked_name]
    matches = [(layout, directory) for layout, directory in candidates if layout.matches(directory)]
    if not matches:
        found = ", ".join(sorted(each.name for each in path.iterdir())) or "an empty directory"
        raise InputError(f"data path {path}", f"one of: {known}", found, "name the directory that holds them")
    if len(matches) > 1:
        found = "; ".join(f"{layout.description} in {directory}" for layout, directory in matches)
        raise InputError(f"data path {path}", "one layout", found, "name the directory of one of them")
    layout, directory = matches[0]
    beside = {file for place in (path, directory, directory / "train") for file in place.glob("*")}
    if others := [file for file in sorted(beside) if archive.is_data(file)]:
        found = f"{layout.description} and {', '.join(file.name for file in others)}"
        do = "name the file, or move it elsewhere"
        raise InputError(f"data path {path}", "one data set", found, do)
    if "resize" not in layout.takes:
        refuse_resize(resize, layout.description)
    settings = {"resize": resize, "reading": reading}
    return layout.read(directory, quiet, **{name: settings[name] for name in layout.takes})


def refuse_resize(resize: int, layout: str) -> None:
    """Refuse to resize what is no folder of images."""
    if resize:
        do = "set data.resize=0; it is for folders of images"
        raise InputError("data.resize", f"0 for {layout}", f"{resize}", do)
