"""Everything that is written to disk: whole files, HDF5, checkpoints, TOML, and the names of all of it."""
