"""What people look at: figures, and the HTML report of a run, a study or a sweep."""
