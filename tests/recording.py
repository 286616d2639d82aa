"""Parameter tables that remember what a model asked them for."""


class Recording(dict):
    """Numbers that remember which of them were asked for."""

    def __init__(self, numbers):
        super().__init__(numbers)
        self.read = set()

    def __getitem__(self, name):
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name, default=None):
        self.read.add(name)
        return super().get(name, default)
