"""`cutis …` and `python -m cutis …`."""

from .trials.command import main

if __name__ == "__main__":
    main()
