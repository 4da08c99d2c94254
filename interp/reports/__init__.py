"""What a run leaves behind: the journal, its reading, verdicts, exit status and summary."""
