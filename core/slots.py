"""What treatments of all diseases have in common: their numbers, parameters, and pharmacokinetics in each person."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .disease import Treatment
from .engine import pharmacokinetics as pk
from .keys import normals, uniforms

NEVER = 1e9  # days
FACTORS = frozenset(  # what a treatment does not name does nothing: 1 for these fields, 0 for all others
    {"absorption", "clearance", "volume", "peripheral", "bioavailability", "half", "half_maximal", "maximum"}
    | {"reference_weight", "reference_age", "clearance_female", "volume_female", "clearance_not_white", "clearance_ada"}
)


class Slot(NamedTuple):
    """One treatment of each person; arrays of people.

    drug: its number, 0 for none.
    clearance to half: as `pharmacokinetics.rates` takes them, without antibodies. onset, clearance_ada: the day from
    which antidrug antibodies are there (since the first visit), and clearance with them over that without.
    half_maximal: concentration of half-maximal effect, ug/mL; (sites, people) in a disease whose sites differ in it.
    strength: at each site of the disease.
    """

    drug: Array
    absorption: Array
    clearance: Array
    volume: Array
    exchange: Array
    peripheral: Array
    bioavailability: Array
    direct: Array
    most: Array
    half: Array
    onset: Array
    clearance_ada: Array
    half_maximal: Array
    strength: tuple[Array, ...]


@dataclass(frozen=True)
class Catalogue:
    """The treatments of a disease, numbered from 1 in this order; 0 is no treatment.

    like: treatments that are another one in all that they do not name themselves, such as a drug taken without food.
    factors: fields that are 1, not 0, where a treatment does not name them.
    """

    treatments: Mapping[str, Treatment]
    like: Mapping[str, str] = field(default_factory=dict)
    factors: frozenset[str] = FACTORS

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All treatments, in the order of their numbers."""
        return tuple(self.treatments)

    @cached_property
    def addresses(self) -> np.ndarray:
        """What addresses a person's deviations, by number: the name of the drug, so that a drug more changes no draws
        of another."""
        return np.array([0, *(zlib.crc32(self.like.get(name, name).encode()) for name in self.names)], dtype="uint32")

    @cached_property
    def direct(self) -> np.ndarray:
        """Share of a dose that goes straight into the central compartment, by number."""
        return np.array([0.0, *(float(t.route != "subcutaneous") for t in self.treatments.values())])

    def number(self, treatment: str) -> int:
        """The number by which the kernel knows a treatment; 0 is none."""
        return 1 + self.names.index(treatment)

    def column(self, theta: Mapping[str, Array], name: str, drugs: Array) -> Array:
        """One field of the parameters for each treatment number; what a treatment does not name does nothing."""
        nothing = 1.0 if name in self.factors else 0.0
        values = [nothing, *(self._named(theta, treatment, name, nothing) for treatment in self.names)]
        return jnp.stack([jnp.asarray(v, dtype="float64") for v in values])[drugs]

    def own(self, keys: Array, drugs: Array) -> Array:
        """The keys (people,) of what is particular to each person with the treatment numbered `drugs`."""
        return jax.vmap(jax.random.fold_in)(keys, jnp.asarray(self.addresses)[drugs])

    def insensitivity(self, keys: Array, drugs: Array, theta: dict[str, Array]) -> Array:
        """Logarithm of the half-maximal concentration of people over that of others like them, (people,)."""
        return unknown(normals(keys, "resistance"), normals(self.own(keys, drugs), "potency"), theta)

    def kinetics(self, keys: Array, twins: dict[str, Array], drugs: Array, theta: dict[str, Array]) -> dict[str, Array]:
        """The fields of `Slot` up to clearance_ada: typical values, what attributes change, and what is each person's.

        Args:
          keys: one key a person, (people,). twins: attributes, each (people,).
          drugs: treatment numbers, (people,). theta: `Table.numbers()`.
        """
        mine = self.own(keys, drugs)

        def of(name: str) -> Array:
            return self.column(theta, name, drugs)

        relative = twins["weight"] / of("reference_weight")

        def drawn(name: str, deviation: Array | None = None) -> Array:
            """A person's value: typical value, weight, and what is their own."""
            own = normals(mine, name) if deviation is None else deviation
            return of(name) * relative ** of(f"{name}_weight") * jnp.exp(of(f"{name}:sd") * own)

        first, second, rho = normals(mine, "clearance"), normals(mine, "volume"), of("correlation")
        clearance = drawn("clearance", first) * (twins["age"] / of("reference_age")) ** of("clearance_age")
        clearance = clearance * jnp.where(twins["male"], 1.0, of("clearance_female"))
        clearance = clearance * jnp.where(twins["race"] == 0, 1.0, of("clearance_not_white"))
        volume = drawn("volume", rho * first + jnp.sqrt(1 - rho * rho) * second)
        share = of("bioavailability")
        lost = (1 - share) * jnp.exp(-of("bioavailability:sd") * normals(mine, "bioavailability"))
        return {
            "drug": drugs,
            "absorption": drawn("absorption"),
            "clearance": clearance,
            "volume": volume * jnp.where(twins["male"], 1.0, of("volume_female")),
            "exchange": drawn("exchange"),
            "peripheral": drawn("peripheral"),
            "bioavailability": share / (share + lost),
            "direct": jnp.asarray(self.direct)[drugs],
            "most": drawn("most"),
            "half": of("half"),
            "onset": _onset(uniforms(mine, "antibodies"), of("ada_rate")),
            "clearance_ada": of("clearance_ada"),
        }

    def _named(self, theta: Mapping[str, Array], treatment: str, name: str, nothing: float) -> Array | float:
        other = self.like.get(treatment, treatment)
        return theta.get(f"{treatment}.{name}", theta.get(f"{other}.{name}", nothing))


def disposition(slot: Slot, day: Array, saturable: bool) -> pk.Rates:
    """Pharmacokinetics of a slot on a day since the first visit; with the saturable part only where it is asked for."""
    return pk.rates(
        slot.absorption,
        slot.clearance * jnp.where(day >= slot.onset, slot.clearance_ada, 1.0),
        slot.volume,
        slot.exchange,
        slot.peripheral,
        slot.bioavailability,
        slot.direct,
        *((slot.most, slot.half) if saturable else (None, None)),
    )


def unknown(common: Array, own: Array, theta: dict[str, Array]) -> Array:
    """How much more of a drug a person needs than others with the same attributes, on the logarithm: part of it is
    common to all drugs of a person, so that who fails one is less likely to respond to the next.

    Args:
      common, own: standard normal deviations of the person, and of the person for one drug, each (people,).
    """
    shared = theta["sensitivity.shared"]
    return theta["sensitivity.potency:sd"] * (jnp.sqrt(shared) * common + jnp.sqrt(1 - shared) * own)


def _onset(chance: Array, rate: Array) -> Array:
    """Day on which antidrug antibodies appear, exponential with this rate (1/day); never where the rate is 0."""
    waiting = -jnp.log1p(-chance) / jnp.where(rate > 0, rate, 1.0)
    return jnp.where(rate > 0, waiting, NEVER)
