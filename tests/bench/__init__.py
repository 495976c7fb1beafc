"""Benchmarks: one command each, printing ratios. Nothing here is timed by pytest."""
