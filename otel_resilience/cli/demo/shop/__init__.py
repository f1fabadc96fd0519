"""A small shop of four plain services, each a script of its own. None of them knows anything about resilience."""
