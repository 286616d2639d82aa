"""One piece of a sweep: some twins under every setting. A pure function of the plan and the twins."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
from jax import Array, lax

from ...cluster import store
from ...core.laser import columns, optics, outcomes
from ...core.laser.treat import Lights, treat
from ...population.sample import POPULATIONS
from ..errors import Unfinished
from ..shard import encode
from . import effects
from .draws import parameters
from .people import TONE
from .plan import Sweep
from .protocols import protocols

SIZE = 512  # twins: fixed, since the last bit of a result depends on the shape it is computed in
ORIGIN = {"origin": "simulated by Cutis: synthetic twins, no person's data"}
KEPT = ("age", "male", "race", TONE, "ita")  # attributes in the table of twins, beside the thickness of the skin


class Piece(NamedTuple):
    """Twins (at most SIZE): their attributes, each (twins,), among them `twin`, their numbers."""

    number: int
    twins: Mapping[str, np.ndarray]


class Done(NamedTuple):
    """A finished piece: its files with their SHA-256."""

    number: int
    files: dict[str, str]


def pieces(twins: Mapping[str, np.ndarray]) -> list[Piece]:
    """The pieces of work, in order."""
    count = len(twins["twin"])
    return [
        Piece(number, {name: values[start : start + SIZE] for name, values in twins.items()})
        for number, start in enumerate(range(0, count, SIZE))
    ]


def work(plan: str, folder: Path, piece: Piece) -> Done:
    """Treat a piece's twins and write its files into the sweep's folder; plan: canonical JSON."""
    tables = simulate(plan, piece)
    names = {f"{kind}/part-{piece.number:05d}.parquet": table for kind, table in tables.items()}
    return Done(piece.number, {name: store.write(folder / name, encode(t)) for name, t in names.items()})


def simulate(text: str, piece: Piece) -> dict[str, pa.Table]:
    """The piece's tables: its twins, and sums over them (see `_sums`).

    Raises:
      Unfinished: skin of this piece cannot be treated, such as a layer too thin for the cells.
    """
    plan = _plan(text)
    tones = np.asarray(piece.twins[TONE])
    member = jnp.asarray((tones[None] == np.array(plan.population.skin_types)[:, None]).astype(float))
    drawn = {name: jnp.asarray(values) for name, values in parameters(plan).items()}
    tone = jnp.asarray(piece.twins["ita"], "float64")
    parts = [_program(text)(*harm, tone, member, drawn) for harm in _harm(plan, piece)]
    sums = {name: np.concatenate([np.asarray(part[name]) for part in parts], axis=1) for name in parts[0]}
    return {"twins": _twins(plan, piece), "sums": _sums(plan, sums)}


class Harm(NamedTuple):
    """What settings do to a piece's twins: what was read in their skin, ln Omega of the basal layer, whether it can be
    trusted, marks; each (doses, twins)."""

    read: dict[str, Any]
    basal: Array
    trusted: Array
    marks: dict[str, Array]


def _harm(plan: Sweep, piece: Piece) -> Iterator[Harm]:
    try:
        yield from _beams(plan, piece) if plan.dose == "fluence" else _columns(plan, piece)
    except ValueError as error:
        raise Unfinished(f"twins {piece.twins['twin'][0]} to {piece.twins['twin'][-1]}: {error}") from None


def _beams(plan: Sweep, piece: Piece) -> Iterator[Harm]:
    """Under a broad beam, for each combination; all fluences together."""
    lit: Lights = {}
    for settings in protocols(plan):
        found = treat(piece.twins, settings, plan.site, effects.wanted(plan), lit)
        hottest = jnp.where(found.trusted, found.hottest, 0.0)
        frozen = jnp.broadcast_to(found.course.frozen, found.basal.shape)
        marks = _marks(found.trusted, found.overheated, frozen, hottest)
        yield Harm(found.targets, found.basal, found.trusted, marks)


def _columns(plan: Sweep, piece: Piece) -> Iterator[Harm]:
    """Under columns or needles, for each combination; all doses together."""
    person, count = optics.skin(piece.twins, plan.site), len(plan.doses())
    every = protocols(plan)
    for first in range(0, len(every), count):
        those = [columns.columns(person, settings) for settings in every[first : first + count]]
        found = columns.Columns(*(jnp.stack(fields) for fields in zip(*those, strict=True)))
        nothing = jnp.zeros_like(found.coverage)
        marks = _marks(found.trusted, ~found.trusted, nothing > 0, nothing * jnp.nan)
        read = {"aim": found.renewed, "coverage": found.coverage}
        yield Harm(read, jnp.full_like(nothing, outcomes.COLUMN), found.trusted, marks)


def _marks(trusted: Array, overheated: Array, frozen: Array, hottest: Array) -> dict[str, Array]:
    flags = {"twins": jnp.ones_like(trusted), "trusted": trusted, "overheated": overheated, "frozen": frozen}
    return {name: values.astype("float64") for name, values in flags.items()} | {"hottest": hottest}


@cache
def _plan(text: str) -> Sweep:
    return Sweep.model_validate_json(text)


@cache
def _program(text: str) -> Callable[..., dict[str, Array]]:
    """Sums over the twins of each skin type, by name, (draws, doses, types), and those of squares, `name:squares`.

    Who is not trusted counts as harmed by everything (1), and not at all in the benefit.
    """
    plan = _plan(text)

    @jax.jit
    def program(
        read: Mapping[str, Any], basal: Array, trusted: Array, marks: Mapping[str, Array], tone: Array, member: Array,
        drawn: Mapping[str, Array],
    ) -> dict[str, Array]:  # fmt: skip
        def summed(values: Array) -> Array:
            return jnp.einsum("fn,tn->ft", values, member)

        def one(draw: Mapping[str, Array]) -> dict[str, Array]:
            found = effects.judged(plan, read, basal, tone, outcomes.VALUES | dict(draw))
            sums = {}
            for name, share in found.items():
                counted = jnp.where(trusted, share, 0.0 if name == "efficacy" else 1.0)
                sums |= {name: summed(counted), f"{name}:squares": summed(counted**2)}
            return sums | {name: summed(values) for name, values in marks.items()}

        return lax.map(one, dict(drawn))

    return program


def _sums(plan: Sweep, sums: Mapping[str, np.ndarray]) -> pa.Table:
    """One row a draw of parameters, setting and skin type: counts and sums over this piece's twins."""
    types = np.array(plan.population.skin_types, dtype=np.int8)
    draws, settings, _ = sums["twins"].shape
    columns = {
        "draw": np.repeat(np.arange(draws, dtype=np.int16), settings * len(types)),
        "setting": np.tile(np.repeat(np.arange(settings, dtype=np.int16), len(types)), draws),
        "skin_type": np.tile(types, draws * settings),
    }
    return pa.table(columns | {name: values.ravel() for name, values in sums.items()}).replace_schema_metadata(ORIGIN)


def _twins(plan: Sweep, piece: Piece) -> pa.Table:
    known = POPULATIONS[plan.population.source].attributes
    skin = (f"stratum_corneum_{plan.site}", f"epidermis_{plan.site}", f"dermis_{plan.site}")
    fields = [pa.field("twin", pa.int64(), metadata={"unit": "", "about": "number of the twin in its population"})]
    columns = [pa.array(piece.twins["twin"])]
    for name in (*KEPT, *skin):
        if name not in known:
            continue
        values, attribute = pa.array(piece.twins[name]), known[name]
        if attribute.kind == "category":
            values = pa.array(attribute.levels).take(values.cast(pa.int64()))
        fields.append(pa.field(name, values.type, metadata={"unit": attribute.unit, "about": attribute.about}))
        columns.append(values)
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=ORIGIN))
