"""The files that start a cluster: what their tools take, a token everywhere, and the command that goes on."""

import re
import shlex
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

from cutis.trials.job import job

ROOT = Path(__file__).resolve().parents[1]
CLOUD = ROOT / "cluster" / "cloud.yaml"
KUBERNETES = ROOT / "cluster" / "kubernetes.yaml"
IMAGE = (ROOT / "cluster" / "Dockerfile").read_text()


# Fields of ray.io/v1, from KubeRay's types (ray-operator/apis/ray/v1, 1.5): Kubernetes drops others silently.
JOB = {
    "activeDeadlineSeconds",
    "backoffLimit",
    "rayClusterSpec",
    "submitterPodTemplate",
    "metadata",
    "clusterSelector",
    "submitterConfig",
    "managedBy",
    "deletionStrategy",
    "entrypoint",
    "runtimeEnvYAML",
    "jobId",
    "submissionMode",
    "entrypointResources",
    "entrypointNumCpus",
    "entrypointNumGpus",
    "ttlSecondsAfterFinished",
    "shutdownAfterJobFinishes",
    "suspend",
}
CLUSTER = {
    "headGroupSpec",
    "workerGroupSpecs",
    "rayVersion",
    "authOptions",
    "enableInTreeAutoscaling",
    "autoscalerOptions",
    "headServiceAnnotations",
    "suspend",
    "managedBy",
    "gcsFaultToleranceOptions",
}
HEAD = {
    "serviceType",
    "headService",
    "enableIngress",
    "rayStartParams",
    "template",
    "resources",
    "labels",
}
WORKERS = {
    "groupName",
    "replicas",
    "minReplicas",
    "maxReplicas",
    "numOfHosts",
    "idleTimeoutSeconds",
    "rayStartParams",
    "template",
    "scaleStrategy",
    "suspend",
    "resources",
    "labels",
}


@pytest.fixture
def cloud():
    return yaml.safe_load(CLOUD.read_text())


@pytest.fixture
def kubernetes():
    return {part["kind"]: part for part in yaml.safe_load_all(KUBERNETES.read_text())}


def test_ray_takes_the_file_of_a_cloud(cloud):
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(cloud))


def test_ray_would_notice_a_mistake_in_it(cloud):
    from jsonschema import ValidationError
    from ray.autoscaler._private.util import prepare_config, validate_config

    with pytest.raises(ValidationError, match="hed_node_type"):
        validate_config(prepare_config(cloud | {"hed_node_type": "head"}))


def test_machines_of_a_cloud_have_the_token_and_ask_for_it(cloud):
    assert cloud["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    for commands in (cloud["head_start_ray_commands"], cloud["worker_start_ray_commands"]):
        (start,) = (c for c in commands if "ray start" in c)
        assert start.startswith("RAY_AUTH_MODE=token ")
    assert "--dashboard-host=127.0.0.1" in cloud["head_start_ray_commands"][-1]


def test_a_rayjob_has_what_its_definition_requires(kubernetes):
    """Required fields of ray.io/v1 (KubeRay 1.5: API reference), and those without which the job could not be run."""
    job_ = kubernetes["RayJob"]
    assert job_["apiVersion"] == "ray.io/v1"
    spec = job_["spec"]
    assert {"entrypoint", "rayClusterSpec"} <= spec.keys()
    assert spec["submissionMode"] in {"K8sJobMode", "HTTPMode", "SidecarMode", "InteractiveMode"}
    assert spec["shutdownAfterJobFinishes"] is True
    assert spec["ttlSecondsAfterFinished"] > 0
    cluster = spec["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    assert (spec.keys() - JOB, cluster.keys() - CLUSTER, groups[0].keys() - HEAD) == (set(), set(), set())
    assert all(group.keys() <= WORKERS for group in groups[1:])
    for group in groups:
        assert all(type(value) is str for value in group["rayStartParams"].values())
        (container,) = group["template"]["spec"]["containers"]
        assert {"name", "image", "resources", "volumeMounts"} <= container.keys()
        assert container["resources"]["limits"] == container["resources"]["requests"]  # Ray counts by the limits
        volumes = {v["name"]: v["persistentVolumeClaim"]["claimName"] for v in group["template"]["spec"]["volumes"]}
        assert [volumes[m["name"]] for m in container["volumeMounts"]] == [
            kubernetes["PersistentVolumeClaim"]["metadata"]["name"]
        ]
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        assert re.fullmatch("[a-z0-9]([-a-z0-9]*[a-z0-9])?", group["groupName"])
    assert spec["submitterPodTemplate"]["spec"]["restartPolicy"] in {"Never", "OnFailure"}


def test_a_rayjob_asks_for_the_token_by_versions_that_know_it(kubernetes):
    cluster = kubernetes["RayJob"]["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert Version(cluster["rayVersion"]) >= Version("2.52")


def test_only_pods_of_the_job_and_the_operator_may_come_in(kubernetes):
    policy = kubernetes["NetworkPolicy"]["spec"]
    labels = policy["podSelector"]["matchLabels"]
    spec = kubernetes["RayJob"]["spec"]
    templates = [
        spec["submitterPodTemplate"],
        spec["rayClusterSpec"]["headGroupSpec"]["template"],
        *(group["template"] for group in spec["rayClusterSpec"]["workerGroupSpecs"]),
    ]
    assert all(labels.items() <= template["metadata"]["labels"].items() for template in templates)
    assert policy["policyTypes"] == ["Ingress"]
    assert all(source.get("podSelector") for rule in policy["ingress"] for source in rule["from"])


def test_no_token_stands_in_a_file(cloud, kubernetes):
    for file in (CLOUD, KUBERNETES, ROOT / "cluster" / "Dockerfile"):
        assert not re.search(r"[0-9a-f]{32}", file.read_text())
        assert "RAY_AUTH_TOKEN=" not in file.read_text()
        assert "disabled" not in file.read_text()


def commands():
    text = CLOUD.read_text().replace("\n# ", " ")
    yield re.search(r'"(cutis run [^"]*)"', text)[1]
    yield next(yaml.safe_load_all(KUBERNETES.read_text().split("---\n")[1]))["spec"]["entrypoint"]


@pytest.mark.parametrize("command", list(commands()))
def test_the_command_is_one_that_joins_and_goes_on(command):
    program, verb, *words = shlex.split(command)
    assert (program, verb) == ("cutis", "run")
    assert "--resume" in words
    task = job([word for word in words if word != "--resume"], None)
    assert (task.cluster.kind, task.cluster.address) == ("ray", "auto")
    assert task.out.startswith("/runs/")


def test_all_files_name_the_same_image_of_this_version_with_the_ray_that_the_lock_has(cloud, kubernetes):
    image = f"your-registry/cutis:{version('cutis')}"
    assert cloud["docker"]["image"] == image
    assert set(re.findall(r"image: (\S+)", KUBERNETES.read_text())) == {image}
    assert image in IMAGE
    ray, python = re.search(r"rayproject/ray:([\d.]+)-py(\d+)", IMAGE).groups()
    lock = ROOT / "locks" / f"python-{python[0]}.{python[1:]}.txt"
    assert f"locks/{lock.name}" in IMAGE
    assert f"ray=={ray} " in lock.read_text()
    assert kubernetes["RayJob"]["spec"]["rayClusterSpec"]["rayVersion"] == ray
