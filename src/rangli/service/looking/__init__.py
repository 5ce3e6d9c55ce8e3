"""What one may ask of a programme that goes on: single things, lists, sums, and how it fares. Nothing here changes anything."""
