"""`python -m lmc_utils.cli` is `lmc`."""

from lmc_utils.cli.main import main

if __name__ == "__main__":
    main()
