"""What helps a job on its fabric: levers, each tried by running the job again with it."""
