"""Tables of programs, by what they are for. `registry` joins them."""
