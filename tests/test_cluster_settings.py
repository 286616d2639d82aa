"""Settings that make no sense are refused in words."""

import os
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

import cutis.conf
from cutis.cluster.settings import Cluster, available


def test_the_shipped_settings_are_valid():
    folder = Path(cutis.conf.__file__).parent / "cluster"
    found = {file.stem: Cluster(**yaml.safe_load(file.read_text())) for file in folder.glob("*.yaml")}
    assert found == {"local": Cluster(kind="local"), "ray": Cluster(kind="ray")}


def test_all_cores_of_the_process_are_taken_unless_told_otherwise():
    assert Cluster(kind="local").cores() == available() == len(os.sched_getaffinity(0))
    assert Cluster(kind="local", workers=7).cores() == 7


@pytest.mark.parametrize("address", ["auto", "10.0.0.5:6379", "head.cluster.local:6379", "[fe80::1]:6379"])
def test_addresses_of_ray_clusters_are_taken(address):
    assert Cluster(kind="ray", address=address).address == address


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"kind": "local", "address": "10.0.0.5:6379"}, "is for kind 'ray'"),
        ({"kind": "ray", "address": "ray://10.0.0.5:10001"}, "start cutis on a machine of the cluster"),
        ({"kind": "ray", "address": "10.0.0.5"}, "expected 'host:port'"),
        ({"kind": "ray", "address": "10.0.0.5:99999"}, "expected 'host:port'"),
        ({"kind": "ray", "address": "http://10.0.0.5:6379"}, "expected 'host:port'"),
        ({"kind": "ray", "address": ""}, "expected 'host:port'"),
        ({"kind": "local", "gpus": 0.5}, "shares of a GPU are for kind 'ray'"),
        ({"kind": "ray", "gpus": 1.5}, "less than or equal to 1"),
        ({"kind": "ray", "gpus": -0.5}, "greater than or equal to 0"),
        ({"kind": "ray", "wheel": "cutis.whl"}, "no address is set"),
        ({"kind": "slurm"}, "'local' or 'ray'"),
        ({"kind": "local", "workers": 0}, "greater than or equal to 1"),
        ({"kind": "local", "workers": True}, "valid integer"),
        ({"kind": "local", "workers": "2"}, "valid integer"),
        ({"kind": "local", "worker": 2}, "worker"),
        ({}, "kind"),
    ],
)
def test_settings_without_sense_are_refused(settings, says):
    with pytest.raises(ValidationError, match=says):
        Cluster(**settings)


def test_settings_do_not_change():
    with pytest.raises(ValidationError):
        Cluster(kind="local").workers = 3  # pyright: ignore[reportAttributeAccessIssue]
