"""`python -m nbbatch.cli`."""

from nbbatch.cli.main import main

main(prog_name="nbbatch")
