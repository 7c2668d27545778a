"""The version of all of it; asking the installed package would cost every process ten milliseconds of its start."""

VERSION = "0.1.0"
