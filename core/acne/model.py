r"""Acne of a face: sebum, follicles, bacteria and inflammation drive lesions from microcomedone to scar.

Each drive is 1 in the untreated face, whose lesions are at rest (`equilibrium`). With the effects of treatment
(`effects`), $f(a) = (1+K_A)a/(K_A+a)$, $a' = a/(1+\rho)$ the androgen that receptors see, $S$ the sebum $G$ (at least
0.02), $R$ the resistant share of bacteria, $u$ the durable effect of isotretinoin and $e$ its momentary one:

$$\dot a = k_a[(1-E_{coc}) - a]$$
$$\dot P = k_P(1-P) - k_{uP}uP,\quad \dot Z = k_Z(1-Z) - \ell Z,\quad \dot\Phi = k_\Phi(1-\Phi) - k_{u\Phi}u\Phi$$
$$\dot G = k_G[P Z f(a')(1-e) - G] - \ell G$$
$$\dot L = k_L[g\log_{10}S - E_{bpo} - (1-R)E_{abx} - E_{kill} - L]$$
$$\dot q = k_s s (1-\min(E_{bpo}/E_R, 1)) - k_r(q-q_0),\quad R = \mathrm{expit}\,q$$
$$\dot I = k_I\{c(t)[1-w_B-w_S+w_B10^{\eta L}+w_S S](1-E_{ai})(1-x_I e) - I\}$$
$$\kappa = 1+w_{KA}(f-1)+w_{KS}(S-1)+w_{KB}(10^{\eta L}-1)+w_{KI}(I-1)$$
$$\dot K = k_K\Big\{\frac{[\kappa]_+}{(1+E_{ret})(1+E_{ker})(1+x_K e)} - K\Big\}$$
$$\dot B = i(1-T) - B/t_B,\quad \dot T = (B/(B+\tfrac12)-T)/t_T$$

P capacity of glands that isotretinoin shrinks, Z share of glands that light has not destroyed, $\Phi$ susceptibility
of follicles, L log10 change of bacteria, q log-odds of resistance, K keratinisation, B irritation, T tolerance of it,
$\ell$ destruction of glands, $E_R$ the kill that keeps resistance from being selected, $x$ what isotretinoin does
beside sebum. With $I' = I v_I$, clearing $c = v_C(1+c_{ret}+E_{ker}+x_C e)$, and $v$ what the vehicle, the tablet or
the session does by itself:

$$\dot M = F_M K S^h \Phi v_M - (k_{MC}+k_{MP}I'+k_{M0}c)M$$
$$\dot C_c = k_{MC}M - (k_{CP}I'+k_{CO}+k_{C0}c)C_c,\quad \dot C_o = k_{CO}C_c - (k_{OP}I'+k_{O0}c)C_o$$
$$\dot P_a = I'(k_{MP}M+k_{CP}C_c+k_{OP}C_o+k_{EP}E) - (k_{PU}I'+k_{PD}I'^2+k_{P0})P_a$$
$$\dot P_u = k_{PU}I'P_a - k_{U0}P_u,\quad \dot D = k_{PD}I'^2P_a - k_{D0}D$$
$$\dot E = p_E(k_{P0}P_a+k_{U0}P_u+k_{D0}D) - (k_{E0}+k_{EP}I')E$$

Lesions that heal leave marks (H1, H2: a pool that fades within months and one that takes years) and scars X, which
stay. V, O and N are how far the effects of a vehicle, of a tablet and of sessions have set in, W is the isotretinoin
that lips and liver see. A face has 10,000 follicles; that lesions take up some of them is left out.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import expit

from ..keys import normals, uniforms
from .effects import Cycle, Effects, effects
from .equilibrium import Counts, Rates, counts, rates
from .lesions import Face, face
from .reading import Report, report
from .treatments import Slot, slot

Theta = dict[str, Array]
State = tuple[Array, ...]
STATES = (
    *("a", "P", "G", "Phi", "L", "q", "I", "K", "B", "T"),
    *("M", "Cc", "Co", "Pa", "Pu", "D", "E", "H1", "H2", "X", "V", "O", "W", "N", "Z"),
)
YEAR = 2015  # of publication: what vehicles do is told as of then
LEAST_SEBUM = 0.02  # of its untreated level, where powers and logarithms are taken
LEAST_KERATIN = 0.05  # of its untreated level, before drugs act on it
FASTEST_LOSS = 2.0  # 1/day of glands: light takes most of a day at least, so that nothing is stiff
OWN = ("placebo", "resistant", "marks", "sebum", "rater")  # what differs by person, on standard normal scales


class Placebo(NamedTuple):
    """What a vehicle does in full, each (people,): less formation, less inflammation, faster clearing."""

    formation: Array
    inflammation: Array
    clearing: Array


class Individual(NamedTuple):
    """Parameters of each person (arrays of people) and those common to all (scalars).

    rest: lesions of the untreated face. resistant: log-odds of resistance. marks: share of healing lesions that leave
    a dark mark. sebum: untreated, ug/cm2/min. fertile: women of an age to menstruate.
    """

    theta: Theta
    rest: Counts
    rates: Rates
    placebo: Placebo
    resistant: Array
    marks: Array
    sebum: Array
    fertile: Array
    cycle: Cycle
    slots: tuple[Slot, ...]
    face: Face
    report: Report


def individual(keys: Array, twins: dict[str, Array], drugs: Array, theta: Theta) -> Individual:
    """Draw each person's parameters.

    Args:
      keys: one key a person, shape (people,).
      twins: attributes, each (people,).
      drugs: treatment numbers, shape (slots, people).
      theta: values and spreads, `Table.numbers()`.
    """
    rest = counts(twins["inflammatory"], twins["noninflammatory"], twins["nodules"], theta)
    own = dict(zip(OWN, normals(keys, "own", shape=(len(OWN),)), strict=True))
    seen, women = face(keys, own["rater"], theta), fertile(twins, theta)
    return Individual(
        theta,
        rest,
        rates(rest, theta),
        placebo(own["placebo"], theta),
        resistant(own["resistant"], twins, theta),
        marks(own["marks"], twins, theta),
        sebum(own["sebum"], twins, theta),
        women,
        cycle(keys, women, theta),
        tuple(slot(keys, twins, drugs[s], theta) for s in range(drugs.shape[0])),
        seen,
        report(keys, twins, rest, seen, theta),
    )


def placebo(deviation: Array, theta: Theta) -> Placebo:
    """The effect of a vehicle in people with these standard normal deviations: shares vary in their odds, and so does a
    trial's by the year in which it is published."""
    odds = jnp.exp(theta["placebo.size:sd"] * deviation + theta["trial.vehicle"]) * theta["placebo.size"]
    odds = odds * theta["placebo.decade"] ** ((theta["trial.year"] - YEAR) / 10)

    def share(name: str) -> Array:
        typical = theta[f"placebo.{name}"]
        return typical * odds / (1 - typical + typical * odds)

    return Placebo(share("formation"), share("inflammation"), theta["placebo.clearing"] * odds)


def resistant(deviation: Array, twins: dict[str, Array], theta: Theta) -> Array:
    """Log-odds of antibiotic resistance among a person's bacteria; more after antibiotics."""
    typical = theta["model.resistant"] + theta["model.resistant:sd"] * deviation
    return typical + jnp.where(twins["prior_antibiotic"], theta["model.resistant_after_antibiotic"], 0.0)


def marks(deviation: Array, twins: dict[str, Array], theta: Theta) -> Array:
    """Share of healing lesions that leave a dark mark: more in darker skin."""
    types = jnp.stack([jnp.asarray(theta[f"marks.type_{n}"], dtype="float64") for n in range(1, 7)])
    own = jnp.exp(theta["marks.person:sd"] * deviation)
    return jnp.minimum(types[twins["fitzpatrick"] - 1] * own, 1.0)


def sebum(deviation: Array, twins: dict[str, Array], theta: Theta) -> Array:
    """Sebum excretion before treatment, ug/cm2/min: rises in puberty, falls from 20 years on, faster in women."""
    age, male = twins["age"], twins["male"]
    rise = expit((age - theta["sebum.puberty"]) / theta["sebum.puberty_width"])
    slope = jnp.where(male, theta["sebum.fall_men"], theta["sebum.fall_women"])
    level = theta["sebum.level"] * jnp.where(male, theta["sebum.men"], 1.0) * theta["sebum.acne"]
    own = jnp.exp(theta["sebum.level:sd"] * deviation)
    return level * rise * jnp.exp(-slope * jnp.maximum(age - 20, 0) / 10) * own


def fertile(twins: dict[str, Array], theta: Theta) -> Array:
    """Women of an age to menstruate."""
    return ~twins["male"] & (twins["age"] >= theta["cycle.first_age"]) & (twins["age"] <= theta["cycle.last_age"])


def cycle(keys: Array, women: Array, theta: Theta) -> Cycle:
    """The menstrual cycle of women, some of whom notice it in their acne."""
    luck = uniforms(keys, "cycle", shape=(2,))
    flares = women & (luck[0] < theta["cycle.share"])
    return Cycle(jnp.where(flares, theta["cycle.amplitude"], 0.0), theta["cycle.length"] * luck[1])


def start(person: Individual) -> State:
    """The untreated state; a woman's is that of the mean of her cycle."""
    one, zero = jnp.ones_like(person.sebum), jnp.zeros_like(person.sebum)
    at, r, t = person.rest, person.rates, person.theta
    left = person.marks * (r.kP0 * at.Pa + r.kU0 * at.Pu + r.kD0 * at.D)
    fast = (1 - t["marks.slow"]) * left / t["marks.fast_fading"]
    slow = t["marks.slow"] * left / t["marks.slow_fading"]
    drives = (one, one, one, one, zero, person.resistant, one, one, zero, zero)
    return (*drives, *at, fast, slow, zero, zero, zero, zero, zero, one)


def signal(person: Individual, concentrations: tuple[Array, ...], topical: Array, day: Array) -> tuple[Array, ...]:
    """What drives the model from outside: `Effects`, as a plain tuple.

    Args:
      concentrations: of each slot, as its treatment says. topical: not used; acne has no topical as rescue.
      day: since the first visit.
    """
    return tuple(effects(person.slots, concentrations, person.cycle, person.theta, day))


def drift(person: Individual, state: State, signal: tuple[Array, ...]) -> State:
    """Time derivative of the state, 1/day, under a `signal`."""
    u, drives, lesions, (H1, H2, _, V, O, W, N, Z) = Effects(*signal), state[:10], Counts(*state[10:17]), state[17:]
    _, _, G, Phi, _, _, I, K, _, _ = drives
    tablet, session = person.theta["placebo.tablet"] * O, person.theta["placebo.session"] * N
    used = jnp.maximum(V, jnp.maximum(tablet, session))
    # What is rubbed on a face loosens comedones, which a tablet need not do.
    rubbed = jnp.maximum(V, jnp.maximum(person.theta["placebo.tablet_comedones"] * tablet, session))
    S = jnp.maximum(G, LEAST_SEBUM)
    return (
        *_drives(person, drives, Z, S, u),
        *_lesions(person, lesions, K * Phi * S ** person.theta["model.formation_power"], I, used, rubbed, u),
        *_marks(person, lesions, H1, H2),
        (u.vehicle - V) / person.theta["placebo.time"],
        (u.tablet - O) / person.theta["placebo.time"],
        (u.isotretinoin - W) / person.theta["laboratory.time"],
        u.session * (1 - N) - N / person.theta["placebo.session_time"],
        person.theta["model.gland_regrowth"] * (1 - Z) - jnp.minimum(u.gland, FASTEST_LOSS) * Z,
    )


def _drives(person: Individual, drives: tuple[Array, ...], Z: Array, S: Array, u: Effects) -> tuple[Array, ...]:
    def p(name: str) -> Array:
        return person.theta[f"model.{name}"]

    a, P, G, Phi, L, q, I, K, B, T = drives
    seen = a / (1 + u.receptor)
    f = (1 + p("androgen_half")) * seen / (p("androgen_half") + seen)
    lost = jnp.minimum(u.gland, FASTEST_LOSS)
    killed = u.bpo + expit(-q) * u.antibiotic + u.kill
    bacteria = 10 ** (p("bacteria_power") * L)
    inflamed = 1 - p("bacteria_share") - p("sebum_share") + p("bacteria_share") * bacteria + p("sebum_share") * S
    stuck = 1 + p("keratin_androgen") * (f - 1) + p("keratin_sebum") * (S - 1)
    stuck = stuck + p("keratin_bacteria") * (bacteria - 1) + p("keratin_inflammation") * (I - 1)
    shed = (1 + u.retinoid) * (1 + u.keratolytic) * (1 + p("isotretinoin_keratin") * u.isotretinoin)
    return (
        p("androgen_rate") * ((1 - u.androgen) - a),
        p("gland_recovery") * (1 - P) - p("gland_loss") * u.durable * P,
        p("sebum_rate") * (P * Z * f * (1 - u.isotretinoin) - G) - lost * G,
        p("follicle_recovery") * (1 - Phi) - p("follicle_loss") * u.durable * Phi,
        p("bacteria_rate") * (p("bacteria_sebum") * jnp.log10(S) - killed - L),
        p("resistance_gain") * u.selection * (1 - jnp.minimum(u.bpo / p("resistance_kill"), 1.0))
        - p("resistance_loss") * (q - person.resistant),
        p("inflammation_rate")
        * (u.cycle * inflamed * (1 - u.inflammation) * (1 - p("isotretinoin_inflammation") * u.isotretinoin) - I),
        p("keratin_rate") * (jnp.maximum(stuck, LEAST_KERATIN) / shed - K),
        u.irritation * (1 - T) - B / p("irritation_time"),
        (B / (B + p("tolerance_half")) - T) / p("tolerance_time"),
    )


def _lesions(
    person: Individual, at: Counts, forming: Array, I: Array, used: Array, rubbed: Array, u: Effects
) -> Counts:
    k, placebo = person.rates, person.placebo
    i = I * (1 - placebo.inflammation * used)
    clearing = 1 + u.comedolysis + u.keratolytic + person.theta["model.isotretinoin_clearing"] * u.isotretinoin
    c = clearing * (1 + placebo.clearing * rubbed)
    papules = i * (k.kMP * at.M + k.kCP * at.Cc + k.kOP * at.Co + k.kEP * at.E)
    healed = k.kP0 * at.Pa + k.kU0 * at.Pu + k.kD0 * at.D
    return Counts(
        M=k.FM * forming * (1 - placebo.formation * rubbed) - (k.kMC + k.kMP * i + k.kM0 * c) * at.M,
        Cc=k.kMC * at.M - (k.kCP * i + k.kCO + k.kC0 * c) * at.Cc,
        Co=k.kCO * at.Cc - (k.kOP * i + k.kO0 * c) * at.Co,
        Pa=papules - (k.kPU * i + k.kPD * i * i + k.kP0) * at.Pa,
        Pu=k.kPU * i * at.Pa - k.kU0 * at.Pu,
        D=k.kPD * i * i * at.Pa - k.kD0 * at.D,
        E=k.pE * healed - (k.kE0 + k.kEP * i) * at.E,
    )


def _marks(person: Individual, at: Counts, fast: Array, slow: Array) -> tuple[Array, Array, Array]:
    k, t = person.rates, person.theta
    papules, pustules, nodules = k.kP0 * at.Pa, k.kU0 * at.Pu, k.kD0 * at.D
    left = person.marks * (papules + pustules + nodules)
    scars = t["scars.papule"] * papules + t["scars.pustule"] * pustules + t["scars.nodule"] * nodules
    return (
        (1 - t["marks.slow"]) * left - t["marks.fast_fading"] * fast,
        t["marks.slow"] * left - t["marks.slow_fading"] * slow,
        scars,
    )
