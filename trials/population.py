"""What `cutis population …` does with the words it is given."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from ..cluster import store
from ..cluster.settings import Cluster
from ..population.messages import nearest
from . import pairs
from .compose import CONF
from .errors import BadInput, Unfinished

LARGEST = 1_000_000_000  # twins of a sample
SHOWN = 20_000  # twins that a population is described by
READ = 16  # files of a sample that it is described by, so that a sample may be larger than memory
PILOT = 65_536  # twins that are matched to a baseline table
_seed = pairs.whole(0, 2**63 - 1)


class Order(NamedTuple):
    """A sample that is asked for, and where it is made and kept."""

    population: str
    size: int
    seed: int
    out: Path
    cluster: Cluster


def order(population: str, words: Sequence[str]) -> Order:
    """Read `size=1000000 seed=7 out=FOLDER cluster=ray workers=4 address=auto`; all may be left out.

    Raises:
      BadInput: everything that is wrong with the words, one line each.
    """
    known = {
        "size": pairs.whole(1, LARGEST),
        "seed": _seed,
        "out": pairs.text,
        "cluster": pairs.one_of("local", "ray"),
        "workers": pairs.whole(1, 100_000),
        "address": pairs.text,
    }
    told = {"size": SHOWN, "seed": usual_seed(), "cluster": "local"} | pairs.read(words, known)
    try:
        cluster = Cluster(kind=told["cluster"], workers=told.get("workers"), address=told.get("address"))
    except ValidationError as error:
        raise BadInput(str(error.errors()[0].get("ctx", {}).get("error", error))) from None
    from .sampling import source_of  # deferred: imports JAX, and most mistakes are found without

    name = source_of(population).name
    out = told.get("out", f"samples/{Path(name).name}-{told['size']}-seed{told['seed']}")
    return Order(name, told["size"], told["seed"], Path(out), cluster)


def usual_seed() -> int:
    """The seed of a run that names none."""
    return yaml.safe_load((CONF / "config.yaml").read_text(encoding="utf-8"))["seed"]


def sample(asked: Order, resume: bool) -> list[str]:
    """Make a sample in its folder; what to tell the user.

    Raises:
      BadInput: the folder cannot be used.
    """
    from . import sampling

    wanted = sampling.Sample(asked.population, asked.size, asked.seed)
    if sampling.examine(asked.out, wanted, resume) == "complete":
        return [f"{asked.out}: this sample is complete already"]
    begun = time.perf_counter()
    with sampling.claimed(asked.out, wanted, resume):
        made = sampling.carry_out(wanted, asked.cluster, asked.out)
    seconds = time.perf_counter() - begun
    files = f"{made} file{'' if made == 1 else 's'} made now"
    return [
        f"{asked.size:,} simulated twins of {asked.population}; {seconds:.1f} s ({files})",
        f"sample: {asked.out}",
    ]


def describe(what: str, words: Sequence[str]) -> Iterator[str]:
    """A population, or a sample in a folder, in words.

    Raises:
      BadInput: there is no such thing. Unfinished: the sample is not complete.
    """
    from ..population.sample import POPULATIONS
    from .sampling import FITTED

    if what not in POPULATIONS and Path(what).is_dir() and not (Path(what) / FITTED).is_file():
        if words:
            raise BadInput(f"{words[0]}: a sample is described as it is, without further words")
        return _describe_sample(Path(what))
    if what not in POPULATIONS and not Path(what).is_dir():
        raise BadInput(f"{what}: no such population, nor the folder of a sample; {nearest(what, POPULATIONS)}")
    told = {"size": SHOWN, "seed": usual_seed()} | pairs.read(
        words, {"size": pairs.whole(1, PILOT * READ), "seed": _seed}
    )
    return _describe_population(what, told["size"], told["seed"])


def _describe_population(name: str, size: int, seed: int) -> Iterator[str]:
    from ..population import stream
    from . import tell
    from .sampling import key_of, source_of

    source = source_of(name)
    twins = stream.draw(source, key_of(seed), 0, size)
    yield f"{source.name}: {source.about}"
    yield f"described by {size:,} simulated twins, seed {seed}"
    yield from tell.attributes(source.attributes, twins.__getitem__)
    yield from tell.composition(source.attributes, twins.__getitem__)


def _describe_sample(folder: Path) -> Iterator[str]:
    from ..population.stream import SIZE
    from . import sampling, tell

    content, attributes = sampling.described(folder)
    files = [sampling.part_name(number) for number in range(min(READ, content["plan"]["files"]))]
    for file in files:
        if store.digest(folder / file) != content["files"].get(file, {}).get("sha256"):
            raise Unfinished(f"{folder / file}: was changed: its SHA-256 is not the one in the manifest")

    def column(name: str) -> Any:
        return sampling.columns(folder, attributes, [name], files)[name]

    yield f"{content['population']}: {content['about']}"
    read = min(content["size"], READ * SIZE)
    described = f", described by the first {read:,}" if read < content["size"] else ""
    yield f"{content['size']:,} simulated twins, seed {content['seed']}{described}"
    yield from tell.attributes(attributes, column)
    yield from tell.counted((row["by"], row["level"], row["twins"]) for row in content["composition"])


def fit(plan: Path, data: Path, words: Sequence[str], progress: Callable[[str], None]) -> list[str]:
    """Fit a population to a table of people; what to tell the user.

    Raises:
      BadInput: the plan or the table cannot be used.
      Unfinished: the fitted model would give away people of the table, and was not kept.
    """
    told = {"seed": usual_seed(), "out": f"populations/{plan.stem}"} | pairs.read(
        words, {"seed": _seed, "out": pairs.text}
    )
    for file in (plan, data):
        if not file.is_file():
            raise BadInput(f"{file}: no such file")
    from . import fitting  # deferred: imports JAX

    return fitting.fit(plan, data, Path(told["out"]), told["seed"], progress)


def match(population: str, trial: str, words: Sequence[str]) -> Iterator[str]:
    """How well twins can be made to look like the people of a published trial.

    Raises:
      BadInput: there is no such population or table, or no weights give these twins the table.
    """
    told = {"size": PILOT, "seed": usual_seed()} | pairs.read(
        words, {"size": pairs.whole(100, PILOT * READ), "seed": _seed}
    )
    from ..population import stream
    from ..population.baselines.tables import BASELINES
    from ..population.matching import balance
    from . import tell
    from .sampling import key_of, source_of

    source = source_of(population)
    if trial not in BASELINES:
        raise BadInput(f"no baseline table {trial!r}; {nearest(trial, BASELINES)}")
    table = BASELINES[trial]
    target = table.only(source.attributes)
    lacking = [name for name in table.attributes if name not in source.attributes]
    if not target.rows:
        raise BadInput(f"{trial} tells {', '.join(lacking)}, and population {population} has none of them")
    twins = stream.draw(source, key_of(told["seed"]), 0, told["size"])
    try:
        found = balance.match({name: twins[name] for name in target.attributes}, target, source.attributes)
    except ValueError as error:
        raise BadInput(f"twins of {population} cannot be made to match: {error}") from None
    yield f"{table.trial}, {table.n:,} people: {table.citation}"
    yield f"matched by {told['size']:,} simulated twins of {population}, seed {told['seed']}"
    yield ""
    yield from tell.matched(found.achieved)
    yield ""
    yield f"effective sample size {found.effective:,.0f} of {told['size']:,} ({found.effective / told['size']:.1%})"
    yield f"a trial lets in {found.rate:.1%} of the candidates"
    if lacking:
        yield f"not matched, since twins do not have it: {', '.join(lacking)}"
    yield from (f"warning: {warning}" for warning in found.warnings)
