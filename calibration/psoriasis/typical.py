"""People as trials enrol them, in an arm that belongs to no published trial."""

from ..evidence.regimens import Course
from .cohort import participants
from .evidence.arms import Arm, Baseline, Trial
from .simulate import Scenario

ENTRY = {"pasi": 12.0, "bsa": 10.0, "iga": 3.0}  # the least severity
TYPICAL = Baseline(weight=90.0, prior_biologic=0.249, severity=20.0)


def alone(key: str, courses: tuple[Course, ...], size: int, people: Baseline = TYPICAL) -> Scenario:
    """The only arm of a trial that is called `key`: such people on these courses, or on placebo where there are none.

    size: people, a power of 2.
    """
    arm = Arm(key, 1, 1, courses, (), people)
    trial = Trial(key, key, "", "", "", "assumed", 12, ENTRY, False, "", "", "", (arm,))
    return Scenario(trial, arm, participants(trial, arm, size))
