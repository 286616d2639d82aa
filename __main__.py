"""`cutis …` and `python -m cutis …`."""

from cutis.trials.command import main

if __name__ == "__main__":
    main()
