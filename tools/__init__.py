"""What `./myp` is made of. Standard library only: it runs before the environment exists."""
