"""The API: what people do at the console, for programs, by the same services and nothing else."""
