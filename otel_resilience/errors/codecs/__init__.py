"""How chains and request fields are written on the wire and read from it."""
