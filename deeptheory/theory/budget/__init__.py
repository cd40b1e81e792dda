"""SNR budget: what removing connections of convolutions costs the margins of the fields, before retraining."""
