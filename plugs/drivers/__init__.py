"""Smart plugs at arm's length: one endpoint in, one reading out, our own errors. Plain Python."""
