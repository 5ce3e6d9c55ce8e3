"""The pool workload in other people's simulators, run in an environment of its own (``requirements.txt``)."""
