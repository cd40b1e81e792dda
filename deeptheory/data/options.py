"""Options of the data set and of its splits."""

from typing import Annotated, Literal

from msgspec import Meta

from deeptheory.data.image_files import MOST_SIDE
from deeptheory.data.loading import SOURCES
from deeptheory.data.texts import MOST_LENGTH, MOST_WORDS
from deeptheory.data.vocabulary import Longer
from deeptheory.options import Options

# The data sources that read an option, where not all do.
GENERATED = ("glyphs", "sentences")
OF_TEXTS = ("sentences", "files")


class DataOptions(Options, frozen=True):
    """The source of the inputs and their splits."""

    source: Annotated[
        str,
        Meta(
            description="rendered glyphs, sentences of a random grammar, or files under `path`",
            extra={"among": SOURCES},
        ),
    ] = "glyphs"
    path: Annotated[
        str, Meta(description="file or directory of the data set", extra={"sources": ("files",)})
    ] = ""
    n_labels: Annotated[
        int, Meta(ge=3, le=1000, description="number of labels K", extra={"sources": GENERATED})
    ] = 100
    size: Annotated[
        Literal[16, 32],
        Meta(description="side of an image", extra={"unit": "pixels", "sources": ("glyphs",)}),
    ] = 32
    train_per_label: Annotated[
        int,
        Meta(ge=1, description="training images per label", extra={"unit": "images", "sources": GENERATED}),
    ] = 200
    test_per_label: Annotated[
        int, Meta(ge=1, description="test images per label", extra={"unit": "images", "sources": GENERATED})
    ] = 50
    seed: Annotated[
        int,
        Meta(
            ge=0,
            description="seed of the rendering (glyphs), the grammar (sentences), or the test texts (files)",
        ),
    ] = 0
    length: Annotated[
        int,
        Meta(ge=1, le=MOST_LENGTH, description="longest text", extra={"unit": "words", "sources": OF_TEXTS}),
    ] = 32
    longer: Annotated[
        Longer,
        Meta(
            description="what becomes of longer texts; cut: the first words are kept",
            extra={"sources": ("files",)},
        ),
    ] = "refuse"
    words: Annotated[
        int,
        Meta(
            ge=3,
            le=MOST_WORDS,
            description="size of the vocabulary, padding and the unknown word among them; of files the largest, "
            "of the most frequent words of the training texts",
            extra={"unit": "words", "sources": OF_TEXTS},
        ),
    ] = 1000
    noise: Annotated[
        float,
        Meta(
            ge=0,
            lt=1,
            description="probability that a pair of words is a random one",
            extra={"sources": ("sentences",)},
        ),
    ] = 0.1
    labels: Annotated[
        Literal["true", "shuffled"],
        Meta(description="shuffled: labels permuted over the images, so that there is nothing to learn"),
    ] = "true"
    labels_used: Annotated[
        int,
        Meta(
            ge=0, description="so many of the labels, drawn at random, with all their images (files); 0: all"
        ),
    ] = 0
    file_labels: Annotated[
        int,
        Meta(
            ge=0,
            description="number of labels that the data must have; 0: any",
            extra={"sources": ("files",)},
        ),
    ] = 0
    file_size: Annotated[
        int,
        Meta(
            ge=0,
            description="side that the images must have; 0: any",
            extra={"unit": "pixels", "sources": ("files",)},
        ),
    ] = 0
    resize: Annotated[
        int,
        Meta(
            ge=0,
            le=MOST_SIDE,
            description="side to which images of a folder are scaled and cut (files); 0: as they are",
            extra={"unit": "pixels"},
        ),
    ] = 0
    measure_share: Annotated[
        float, Meta(gt=0, lt=1, description="share of the training set held out for measuring fields")
    ] = 0.1
    measure_from: Annotated[
        str,
        Meta(
            description="what `measure_share` is a share of: train, or test where an imported network was trained "
            "on all training images (those measured on are not tested on); or a file or directory of further "
            "images, all of which are measured on"
        ),
    ] = "train"
    test_share: Annotated[
        float, Meta(gt=0, lt=1, description="share held out for testing when the source has no test set")
    ] = 0.2
