"""Who may do what: keys of programs, members of the console, what they did, and plans that two of them agree on."""
