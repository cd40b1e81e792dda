"""Every entry of `run.h5`: its path, type and shape, unit and meaning, in one place.

``docs/run-file.md`` is made of it, by ``python -m deeptheory.store.run_entries > docs/run-file.md``; a test
compares both with the files of real runs.
"""

from deeptheory.store.entries import BYTES, NAMES, SECONDS, SHARE, SYMBOLS, UTC, Entry, Group, entries
from deeptheory.store.shared_entries import (
    ARM_COST,
    BUDGET_SET,
    CALIBRATION,
    COMPARED,
    HEAD,
    HISTORY,
    MASKS,
    MEASURED,
    PREDICTION,
    PROVENANCE,
    RECOVERY,
    REFIT,
    SENSITIVITY,
    STAMP,
    STATE,
    TESTED,
)

RUN_FILE: Group = {
    "schema_version": Entry("int64", "", "of this layout; files of older versions are brought up to date"),
    "config": Entry("text", "", "all options, as TOML: config.toml is a copy for people"),
    "status": Entry("text", "", "`begun`, `done: STEPS`, or `complete`"),
    "data_sha256": Entry("text", "", "SHA-256 of the images and labels that the run was computed on"),
    "provenance": {"STEP": PROVENANCE},
    "train": {
        "splits": {
            "train": Entry("int64 (N)", "", "indices of training images that were trained on"),
            "measure": Entry("int64 (N)", "", "indices of training images that fields are measured on"),
            "measure_from": Entry("text", "", "`test` or `held-out`, where they are of such images instead"),
            "test": Entry("int64 (T)", "", "indices of test images, or of training images"),
            "test_from_pool": Entry("bool", "", "whether the test split is part of the training images"),
            "noise": {
                "inputs": Entry(
                    "int64 (n)", "", "training images whose label was replaced (`train.label_noise`)"
                ),
                "labels": Entry("int64 (n)", "", "the label that they were trained with"),
            },
        },
        "state": STATE,
        "history": {
            **HISTORY,
            "held_out": Entry("float64 (E)", SHARE, "accuracy on the measure split, with `train.patience`"),
        },
        "accuracy": {
            "measure": Entry("float64", SHARE, "of the trained network on the measure split"),
            "test": Entry("float64", SHARE, "on the test split, read once"),
        },
        "correct": TESTED["correct"],
        "chance": Entry("float64", SHARE, "of the most frequent label among the test inputs"),
        "label_names": Entry("text (K)", "", "of the labels"),
        "words": Entry("text (V)", "", "of the ids of texts, padding first; only with data of texts"),
        "network": Entry("text", "", "blueprint of an imported network, as JSON"),
        "import": {
            "file": Entry("text", "", "that the network was imported from"),
            "sha256": Entry("text", "", "of that file"),
            "architecture": Entry("text", "", "that it was read as"),
            "naming": Entry("text", "", "whose names its tensors have"),
            "notes": Entry("text (n)", "", "what was assumed"),
            "tensors": Entry("text (n)", "", "names of its tensors"),
            "parameters": Entry("text (n)", "", "names of our arrays, in the same order"),
            "shapes": Entry("text (n)", "", "of the tensors, as 64 x 3 x 3 x 3"),
            "norm_epsilon": Entry("float64", "", "what its batch norms add to the variance"),
        },
        **STAMP,
    },
    "measure": {
        "stage_names": Entry("text (M)", "", "measured stages, from the input upwards"),
        "stages": {"STAGE": MEASURED},
        **STAMP,
    },
    "predict": {
        "begun": Entry("text", UTC, "when predictions began: before any retraining"),
        "stages": {"STAGE": HEAD},
        "layers": {
            "WEIGHT": {
                "prunable": Entry("bool (O, I)", "", "kernels that AFCC removes"),
                "dilution": Entry("float64", SHARE, "removed of the layer"),
                "expected_dilution": Entry("float64", SHARE, "the same for label sets without structure"),
                "scores": Entry("float64 (O, I)", "of the largest", "threshold up to which a kernel stays"),
            }
        },
        "arms": {"ARM": {**PREDICTION, "head": HEAD}},
        "recovery": RECOVERY,
        "calibration": {"refits": {"MASK": REFIT}, "MASK": CALIBRATION},
        "dilution": Entry("float64", SHARE, "of AFCC, over all masked layers"),
        **STAMP,
    },
    "prune": {
        "arms": {
            "ARM": {
                "accuracy": Entry("float64", SHARE, "of the masked network on the test split, not retrained"),
                "refit_accuracy": Entry("float64", SHARE, "of intact stages with the masked head refitted"),
                "dilution": Entry("float64", SHARE, "removed of the weights of the masked layers"),
                "cost": ARM_COST,
                "layers": {
                    "WEIGHT": {
                        "density": Entry("float64", SHARE, "kept of the weights of the layer"),
                        "dilution": Entry("float64", SHARE, "removed"),
                        "weights_kept": Entry("int64", "", "weights that stay"),
                        "weights_total": Entry("int64", "", "weights of the layer"),
                        "kernels_kept": Entry("int64", "", "kernels with a weight that stays"),
                        "kernels_total": Entry("int64", "", "kernels of the layer"),
                        "outputs_without_input": Entry("int64", "", "filters that lost all their inputs"),
                        "inputs_without_label": Entry("int64", "", "filters below that serve no label"),
                        "natural_density": Entry("float64", SHARE, "if the scores are cut at the threshold"),
                    }
                },
                "masks": MASKS,
                "update": {"ARRAY": Entry("array (...)", "", "arrays that a criterion changes as it prunes")},
                "warnings": Entry("text (n)", "", "what was logged"),
            }
        },
        **STAMP,
    },
    "retrain": {
        "arms": {
            "ARM": {
                **TESTED,
                "history": HISTORY,
                "state": STATE,
                "masks": MASKS,
                "achieved_density": Entry("float64", SHARE, "weights of the masked layers that are not zero"),
            }
        },
        **STAMP,
    },
    "rewind": {
        "epoch": Entry("int64", "", "after which the weights were kept, for iterative pruning"),
        "state": STATE,
    },
    "rounds": {
        "ARM": {
            "DENSITY": {
                "ROUND": {
                    "density": Entry("float64", SHARE, "of the masked layers in this round"),
                    "masks": MASKS,
                    "history": HISTORY,
                    "state": STATE,
                }
            }
        }
    },
    "budget": {
        "paths": {
            "WEIGHT": {
                "inputs": Entry(
                    "int64 (O, n)", "", "input of each filter that goes at each step, but the last"
                ),
                "residual": Entry(
                    "float64 (O, n)", "of the squared response", "residual variance after the step"
                ),
            }
        },
        "TOLERANCE": {
            "begun": Entry("text", UTC, "when the search began"),
            "tolerance": Entry("float64", SHARE, "accepted loss of accuracy"),
            "intact": Entry("float64", SHARE, "accuracy of the intact network with its head refitted"),
            "recovery": RECOVERY,
            "prunability": {
                "WEIGHT": Entry("float64 (O, I)", SHARE, "dilution of all at which a kernel goes")
            },
            "network": BUDGET_SET,
            "provenance": PROVENANCE,
            "finished": STAMP["finished"],
            "wall_seconds": STAMP["wall_seconds"],
            "WEIGHT": BUDGET_SET,
        },
    },
    "calibration": {"MASK": {**CALIBRATION, "refits": {"MASK": REFIT}, "MASK": CALIBRATION}},
    "compare": {"unpruned": TESTED, "CRITERION": {"DENSITY": COMPARED}},
    "compare-alone": {"WEIGHT": {"CRITERION": {"DENSITY": COMPARED}}},
    "predictions": {"CRITERION": {"DENSITY": {**PREDICTION, "recovery": RECOVERY}}},
    "compact": {
        "ARM": {
            "layers": {
                "LAYER": {
                    "name": Entry("text", "", "of the layer"),
                    "filters": Entry("int64", "", "before"),
                    "filters_left": Entry("int64", "", "after, with those that fill up vectors"),
                    "kernels": Entry("int64", "", "before"),
                    "kernels_left": Entry("int64", "", "kept between the filters left"),
                    "sparse": Entry("bool", "", "whether only kept kernels are stored and computed"),
                    "constant": Entry("int64", "", "removed filters without input, folded into what follows"),
                    "unread": Entry("int64", "", "removed filters that nothing reads"),
                }
            },
            "saved_bytes": Entry("int64", BYTES, "of compact-ARM.h5"),
            "sha256": Entry("text", "", "of compact-ARM.h5"),
            "provenance": PROVENANCE,
            "finished": STAMP["finished"],
        }
    },
    "cost": {
        "ARM": {
            "sides": {
                "SIDE": {
                    "parameters": Entry("int64", "", "of the network"),
                    "nonzero": Entry("int64", "", "those that are not zero"),
                    "multiply_adds": Entry("int64", "", "per input, as executed"),
                    "array_bytes": Entry("int64", BYTES, "of all parameters and buffers"),
                    "activation_bytes": Entry("int64", BYTES, "needed at a time, per input; computed"),
                    "traffic_bytes": Entry("int64", BYTES, "written and read, per input; computed"),
                    "saved_bytes": Entry("int64", BYTES, "of the saved model"),
                    "BATCH": {
                        "latency_s": Entry("float64", SECONDS, "of one batch, median"),
                        "latency_low_s": Entry("float64", SECONDS, "10 % are faster"),
                        "latency_high_s": Entry("float64", SECONDS, "10 % are slower"),
                        "calls": Entry("int64", "", "batches that were timed"),
                        "images_per_s": Entry("float64", "1/s", "at the median"),
                        "activation_bytes": Entry("int64", BYTES, "of the batch"),
                        "joules_per_image": Entry("float64", "J", "counted by the processor, or estimated"),
                        "energy_source": Entry("text", "", "which of both"),
                    },
                }
            },
            "speedup": {
                "BATCH": {
                    "ratio": Entry("float64", "", "time of the dense over that of the compact network"),
                    "low": Entry("float64", "", "lower end of its interval"),
                    "high": Entry("float64", "", "upper end"),
                }
            },
            "quiet": Entry("text", "", "whether nothing else ran: yes, no, unknown"),
            "provenance": PROVENANCE,
            "finished": STAMP["finished"],
        }
    },
    "sensitivity": {"VARIATION": {"STAGE": SENSITIVITY}},
    "branch": {
        "source": Entry("text", "", "directory of the run that was branched"),
        "sha256": Entry("text", "", "of its trained weights"),
        "date": Entry("text", UTC, "of the branch"),
        "options": Entry("text (n)", "", "that were changed"),
        "old": Entry("text (n)", "", "their values there, as TOML"),
        "new": Entry("text (n)", "", "their values here"),
        "taken_over": Entry("text", "", "results that were copied"),
        "provenance": {"STEP": PROVENANCE},
    },
}


def page() -> str:
    """The page of the documentation, in Markdown."""
    lines = [
        "# The run file",
        "",
        "What `run.h5` holds, entry by entry. `run[PATH]` reads one in Python, as do h5py and all other readers",
        "of HDF5. Every data set has an attribute `crc32`, the checksum of its bytes. An entry is there once its",
        "step has stored it; older files, networks and options leave some out.",
        "",
        "Made from `deeptheory/store/run_entries.py`.",
        "",
        "Parts of paths in capitals stand for names:",
        "",
        *(f"- `{name}`: {meaning}" for name, meaning in NAMES.items()),
        "",
        "Shapes:",
        "",
        *(f"- {symbol}: {meaning}" for symbol, meaning in SYMBOLS.items()),
        "",
    ]
    top = ""
    for path, entry in entries(RUN_FILE):
        group = path.split("/")[0] if "/" in path else "of the file"
        if group != top:
            top = group
            lines += [
                "",
                f"## {group}",
                "",
                "| path | type and shape | unit | meaning |",
                "|---|---|---|---|",
            ]
        lines.append(f"| `{path}` | {entry.kind} | {entry.unit} | {entry.meaning} |")
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(page())
