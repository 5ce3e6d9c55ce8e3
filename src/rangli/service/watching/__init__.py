"""How programmes fare: the day's sums, orders as they pass, guards and meters, lag, and the check-up of a database."""
