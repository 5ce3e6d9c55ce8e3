"""What one may ask of a programme that goes on: single things, lists and sums. Nothing here changes anything."""
