"""How fast and how large the product is, measured on the real thing: `python -m bench`.

For developers. Every part runs the product on a scratch directory, on the loopback address, against simulated
plugs, and leaves nothing behind.
"""
