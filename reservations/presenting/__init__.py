"""What the pages show: plain texts made from what the domain knows, in the reader's language."""
