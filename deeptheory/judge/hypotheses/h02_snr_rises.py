"""H2: the SNR rises with depth."""

from deeptheory.judge.hypotheses.over_stages import rises

HYPOTHESIS = rises(
    2,
    "snr-rises",
    "SNR rises with depth",
    "the signal-to-noise ratio of a stage rises with its depth",
    "Towards a universal mechanism for successful deep learning, Sci. Rep. 14, 5881 (2024)",
    "the SNR",
    "per stage",
    {"mean field": "snr_mean_field", "measured": "snr_measured"},
    scatter=0.05,  # 0.004 to 0.04 in pilot runs
    typical=(3.0, 0.5),
)
