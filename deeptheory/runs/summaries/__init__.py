"""What the commands print of one run."""
