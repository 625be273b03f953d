"""`python -m spendgate` is `spendgate`."""

from spendgate.cli import main

if __name__ == "__main__":
    main(prog_name="spendgate")
