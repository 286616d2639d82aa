"""Who meets a criterion of eligibility or belongs to a subgroup, as data."""

from pydantic import model_validator

from .regimen import Frozen


class Criterion(Frozen):
    """By one attribute or screening measurement; both bounds belong to the range."""

    min: float | None = None
    max: float | None = None
    one_of: tuple[str | int | bool, ...] | None = None

    @model_validator(mode="after")
    def says_something(self) -> "Criterion":
        if self.min is None and self.max is None and self.one_of is None:
            raise ValueError("expected min, max or one_of, such as {min: 90}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self
