"""What `tests/bench` is made of: one file for each thing that is set up or measured."""
