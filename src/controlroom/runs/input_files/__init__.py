"""Files as inputs of runs: uploaded first, named by a run's inputs, fetched by its runner, kept as long as the run."""
