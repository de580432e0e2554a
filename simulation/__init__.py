"""A workshop in a box: plugs that speak the real protocols over real HTTP, without any hardware."""
