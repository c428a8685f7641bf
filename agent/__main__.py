"""Run the command line as ``python -m agent``."""

from agent.cli.program import program

if __name__ == "__main__":
    program()
