"""Pictures on disk, to tables of crops, to batches; one dataset a file."""
