"""Files: orders in, settlements out, and their audit."""
