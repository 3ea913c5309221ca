"""`siaga-central`: the hub's command line, and the program that runs it."""
