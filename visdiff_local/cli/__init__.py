"""One module a family of commands. They import click at the top, and the rest when they run."""
