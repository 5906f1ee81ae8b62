"""What kustomize makes of `deploy/kubernetes` is valid and confined, and its processes can start.

The schemas are Kubernetes' own (kubernetes-validate); KEDA's ScaledObject has none there.
"""

import base64
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from deploy.local.environment import ROOT
from gateway.settings import GatewaySettings
from migrations.bootstrap import SERVICES
from services.auth.settings import AuthSettings
from services.catalog.settings import CatalogSettings
from services.ingest.settings import IngestSettings, WorkerSettings
from services.records.settings import RecordsSettings
from shared.process.setting_names import READ_BY_LIBRARIES, SETTINGS
from tests.support.profile import only_in_full

pytestmark = pytest.mark.skipif(
    not shutil.which("kubectl") and not shutil.which("kustomize"),
    reason="neither kubectl nor kustomize is here",
)
OVERLAYS = ("small", "large")
OLDEST, NEWEST = "1.29", "1.37"
PROCESSES = (*SERVICES, "worker", "gateway")
SETTINGS_OF = {
    "auth": AuthSettings,
    "catalog": CatalogSettings,
    "records": RecordsSettings,
    "ingest": IngestSettings,
    "worker": WorkerSettings,
    "gateway": GatewaySettings,
}
NOT_OURS = {"FORWARDED_ALLOW_IPS"}
OWNER_URL = "postgresql://boss:geheim@db.example.com:6432/tables?sslmode=require"


class Manifests:
    """The documents of one overlay."""

    def __init__(self, overlay: str, documents: list[dict[str, Any]]) -> None:
        self.overlay = overlay
        self.documents = documents

    def of_kind(self, kind: str) -> dict[str, dict[str, Any]]:
        return {one["metadata"]["name"]: one for one in self.documents if one["kind"] == kind}

    def pods(self) -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
        """Name, specification and labels of what makes pods."""
        for kind in ("Deployment", "StatefulSet", "Job"):
            for name, one in self.of_kind(kind).items():
                template = one["spec"]["template"]
                yield name, template["spec"], template["metadata"]["labels"]

    def environment(self, container: Mapping[str, Any]) -> dict[str, str]:
        """What a container is given, from ConfigMaps and Secrets."""
        given: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            if "configMapRef" in source:
                given |= self.of_kind("ConfigMap")[source["configMapRef"]["name"]]["data"]
            else:
                data = self.of_kind("Secret")[source["secretRef"]["name"]]["data"]
                given |= {name: base64.b64decode(value).decode() for name, value in data.items()}
        return given


def built(folder: Path, overlay: str) -> list[dict[str, Any]]:
    place = str(folder / "kubernetes" / "overlays" / overlay)
    command = ["kubectl", "kustomize"] if shutil.which("kubectl") else ["kustomize", "build"]
    done = subprocess.run([*command, place], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Manifests:
    """An overlay with secrets as `docs/kubernetes.md` has them made."""
    overlay: str = request.param
    folder = tmp_path_factory.mktemp("kubernetes") / "deploy"
    shutil.copytree(ROOT / "deploy", folder, ignore=shutil.ignore_patterns("secrets", ".env"))
    secrets = folder / "kubernetes" / "overlays" / overlay / "secrets"
    own = ("--database-url", OWNER_URL, "--redis-url", "rediss://:geheim@redis.example.com:6379/0")
    command = [sys.executable, str(folder / "make_secrets.py"), "--kubernetes", "--folder"]
    servers = own if overlay == "large" else ()
    subprocess.run([*command, str(secrets), *servers], check=True, capture_output=True)
    assert not (secrets.parent / ".env").exists()
    return Manifests(overlay, built(folder, overlay))


@only_in_full
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_manifest_is_valid(manifests: Manifests, version: str) -> None:
    checked = 0
    for one in manifests.documents:
        if one["apiVersion"] == "keda.sh/v1alpha1":
            continue
        kubernetes_validate.validate(one, version, strict=True)
        checked += 1
    assert checked > 35


def test_all_of_it_is_in_one_namespace_that_admits_restricted_pods_alone(
    manifests: Manifests,
) -> None:
    (namespace,) = manifests.of_kind("Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {
        one["metadata"].get("namespace") for one in manifests.documents if one is not namespace
    } == {"tabularium"}


def test_no_container_is_root_or_writes_to_its_root_file_system(manifests: Manifests) -> None:
    for name, pod, _ in manifests.pods():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, name
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert "memory" in container["resources"]["limits"], name
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name


def test_every_process_is_given_what_it_needs_and_no_name_that_is_no_setting(
    manifests: Manifests, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployments = manifests.of_kind("Deployment")
    for process in PROCESSES:
        (container,) = deployments[process]["spec"]["template"]["spec"]["containers"]
        given = manifests.environment(container)
        unknown = set(given) - SETTINGS - NOT_OURS
        assert not {name for name in unknown if not name.startswith(READ_BY_LIBRARIES)}, process
        with monkeypatch.context() as patch:
            for name, value in given.items():
                patch.setenv(name, value)
            SETTINGS_OF[process]()  # raises where something is missing or wrong


def test_secrets_come_from_one_place_and_none_stands_in_a_manifest(manifests: Manifests) -> None:
    secrets = [
        base64.b64decode(value).decode()
        for secret in manifests.of_kind("Secret").values()
        for name, value in secret["data"].items()
        if not name.endswith(("_ID", "_USERNAME", "_EMAIL"))
    ]
    others = yaml.safe_dump([one for one in manifests.documents if one["kind"] != "Secret"])
    assert len(secrets) > 15
    assert not [secret for secret in secrets if secret in others]
    given = {name: manifests.environment(pod["containers"][0]) for name, pod, _ in manifests.pods()}
    for service in SERVICES:
        assert given[service]["SERVICE_CLIENT_ID"] == service
        assert (
            given["migrations"][f"{service.upper()}_DB_PASSWORD"] in given[service]["DATABASE_URL"]
        )
    assert "DATABASE_URL" not in given["gateway"]
    if manifests.overlay == "large":
        assert given["migrations"]["DATABASE_URL"] == OWNER_URL
        url = given["records"]["DATABASE_URL"]
        assert url.startswith("postgresql://records:")
        assert url.endswith("@db.example.com:6432/tables?sslmode=require")


def test_probes_ask_by_their_names(manifests: Manifests) -> None:
    deployments = manifests.of_kind("Deployment")
    for process in (*SERVICES, "gateway"):
        (container,) = deployments[process]["spec"]["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports == {"http": 8000, "metrics": 9100}
        for probe in ("livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"] == {"path": "/healthz", "port": "http"}
        if process != "gateway":
            assert container["startupProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    (worker,) = deployments["worker"]["spec"]["template"]["spec"]["containers"]
    assert worker["livenessProbe"]["exec"]["command"][-1] == "deploy.container.worker_health"


def test_services_and_workers_wait_for_their_schema(manifests: Manifests) -> None:
    for process in (*SERVICES, "worker"):
        pod = manifests.of_kind("Deployment")[process]["spec"]["template"]["spec"]
        (first,) = pod["initContainers"]
        service = "ingest" if process == "worker" else process
        assert first["command"] == ["python", "-m", "deploy.container.migrated", service]
        assert "DATABASE_URL" in manifests.environment(first)


def selected(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return all(labels.get(name) == value for name, value in wanted.items()) and all(
        labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", ())
    )


def test_every_selector_selects_something(manifests: Manifests) -> None:
    pods = [labels for _, _, labels in manifests.pods()]
    for kind in ("Service", "PodDisruptionBudget", "NetworkPolicy"):
        for name, one in manifests.of_kind(kind).items():
            spec = one["spec"]
            if kind == "Service":
                selector = {"matchLabels": spec["selector"]}
            else:
                selector = spec["podSelector" if kind == "NetworkPolicy" else "selector"]
            assert any(selected(selector, labels) for labels in pods), f"{kind} {name}"
    budgets = manifests.of_kind("PodDisruptionBudget")
    assert {"gateway", "worker", *SERVICES} <= set(budgets)


def test_nothing_is_allowed_that_no_policy_names(manifests: Manifests) -> None:
    policies = manifests.of_kind("NetworkPolicy")
    assert policies["nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    by_name = {name: labels for name, _, labels in manifests.pods()}

    def ports_out(process: str) -> set[int]:
        return {
            port["port"]
            for one in policies.values()
            if selected(one["spec"]["podSelector"], by_name[process])
            for rule in one["spec"].get("egress", ())
            for port in rule.get("ports", ())
        }

    assert 5432 not in ports_out("gateway")
    assert {5432, 6379, 8000} <= ports_out("records")
    assert 587 not in ports_out("records")
    assert ports_out("migrations") == {53, 5432}
    outside = policies["outside"]["spec"]
    assert {name for name in by_name if selected(outside["podSelector"], by_name[name])} == {
        "ingest",
        "worker",
    }
    assert outside["egress"][0]["to"][0]["ipBlock"]["except"] == ["169.254.0.0/16"]


def test_the_ingress_lets_large_uploads_and_event_streams_through(manifests: Manifests) -> None:
    (ingress,) = manifests.of_kind("Ingress").values()
    limits = {
        name.rpartition("/")[2]: value for name, value in ingress["metadata"]["annotations"].items()
    }
    megabytes = int(limits["proxy-body-size"].removesuffix("m"))
    default: int = IngestSettings.model_fields["upload_limit_bytes"].default
    assert megabytes * 1024**2 > default
    assert limits["proxy-request-buffering"] == limits["proxy-buffering"] == "off"
    assert int(limits["proxy-read-timeout"]) >= 3600
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    (port,) = manifests.of_kind("Service")[backend["name"]]["spec"]["ports"]
    assert port["name"] == backend["port"]["name"]


def test_requests_scale_services_and_the_queue_scales_workers(manifests: Manifests) -> None:
    if manifests.overlay == "small":
        assert manifests.of_kind("HorizontalPodAutoscaler") == {}
        return
    deployments = manifests.of_kind("Deployment")
    scalers = manifests.of_kind("HorizontalPodAutoscaler")
    assert set(scalers) == {"gateway", "records", "ingest"}
    for name, one in scalers.items():
        assert one["spec"]["scaleTargetRef"]["name"] == name
        assert "replicas" not in deployments[name]["spec"]
        metric = one["spec"]["metrics"][0]["pods"]["metric"]["name"]
        assert metric in (ROOT / "docs" / "kubernetes.md").read_text()
    (scaled,) = manifests.of_kind("ScaledObject").values()
    assert scaled["spec"]["scaleTargetRef"]["name"] in deployments
    (trigger,) = scaled["spec"]["triggers"]
    (worker,) = deployments["worker"]["spec"]["template"]["spec"]["containers"]
    assert trigger["metadata"]["connectionFromEnv"] in manifests.environment(worker)
    assert int(trigger["metadata"]["targetQueryValue"]) == int(
        WorkerSettings.model_fields["worker_concurrency"].default
    )
