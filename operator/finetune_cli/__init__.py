"""``ftj``, the command line. One file a command; ``main`` registers them, ``exit_codes`` says how each error ends."""
