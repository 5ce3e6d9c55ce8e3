"""The benchmark: our kernels beside C, the main job beside the plain oracle and an ORM, cold starts, files, and real shops."""
