"""Other diseases of people with psoriasis, which older and heavier twins have more often.

Given age, sex and what else the models look at, one disease does not depend on another, for want of a source.
"""

from .attributes import Attribute

NAMES = ("hypertension", "diabetes", "hyperlipidaemia", "mental_illness", "ibd")
CENTRES = {"age": 50.0, "bmi": 30.0, "male": 0.0, "sbp": 120.0, "hba1c": 5.5}  # year, kg/m2, yes/no, mmHg, %

ATTRIBUTES: dict[str, Attribute] = {
    a.name: a
    for a in (
        Attribute("hypertension", "has been told of high blood pressure", "1", "yes/no"),
        Attribute("diabetes", "has been told of diabetes", "1", "yes/no"),
        Attribute("hyperlipidaemia", "has a diagnosis of hyperlipidaemia", "1", "yes/no"),
        Attribute("mental_illness", "has a diagnosis of depression or another mental illness", "1", "yes/no"),
        Attribute("ibd", "has Crohn's disease or ulcerative colitis", "1", "yes/no"),
    )
}
