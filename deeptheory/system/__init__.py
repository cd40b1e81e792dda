"""The machine and the process: threads, vectors, memory, MPI launch, signals, compiled functions, progress."""
