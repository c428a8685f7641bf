"""The deployment files agree with the settings, with the code and with each other."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from livekit.plugins.kyutai import stt, tts

import agent
from agent.livekit.config import loopback_config
from agent.livekit.install import DOCKER_IMAGE
from agent.livekit.keys import ApiKeys
from agent.metrics import routes as metrics_routes
from agent.paths import default_engine_url
from agent.settings import FOREIGN_VARIABLES, Settings, env_name

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
FILES = ("docker-compose.yml", "docker-compose.override.yml")
DOCKERFILE = (ROOT / "Dockerfile").read_text()
KEYS = ApiKeys("key", "0123456789abcdef0123456789abcdef")

# What the framework needs to close its sessions after the drain.
CLOSING_SECONDS = 60
OURS = ("engine", "engine-gpu", "llm", "worker", "web")
# Variables of other programs, by the service that reads them.
THEIRS = {
    "livekit": {"LIVEKIT_KEYS", "LIVEKIT_CONFIG"},
    "vllm": {"HF_TOKEN", "HF_HUB_DISABLE_TELEMETRY", "VLLM_NO_USAGE_STATS"},
    "worker": {"PYTHONPATH"},
    "engine": {"GLIBC_TUNABLES"},
    "engine-gpu": {"GLIBC_TUNABLES"},
    "llm": {"GLIBC_TUNABLES"},
    "kyutai-tts": {"HF_TOKEN"},
    "kyutai-stt": {"HF_TOKEN"},
    "grafana": {
        "GF_SERVER_HTTP_ADDR",
        "GF_SERVER_HTTP_PORT",
        "GF_AUTH_ANONYMOUS_ENABLED",
        "GF_AUTH_ANONYMOUS_ORG_ROLE",
        "GF_AUTH_DISABLE_LOGIN_FORM",
        "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION",
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH",
        "GF_ANALYTICS_REPORTING_ENABLED",
        "GF_ANALYTICS_CHECK_FOR_UPDATES",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES",
        "GF_NEWS_NEWS_FEED_ENABLED",
        "GF_SECURITY_DISABLE_GRAVATAR",
        "GF_PLUGINS_PREINSTALL_DISABLED",
        "GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED",
    },
}
MONITORING = ROOT / "docker"
KYUTAI = ROOT / "docker" / "moshi-server"
KYUTAI_DOCKERFILE = (KYUTAI / "Dockerfile").read_text()
SETTINGS = {env_name(field): field for field in Settings.model_fields}
# `${NAME}`, `${NAME:-default}` and `${NAME:?message}`, for Compose or (doubled) for a shell.
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*)|:\?[^}]*)?\}")


def services(file: str) -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / file).read_text())["services"]
    return loaded


def seconds(duration: str) -> int:
    number, unit = int(duration[:-1]), duration[-1]
    return number * {"s": 1, "m": 60}[unit]


BASE, OVERRIDE = map(services, FILES)
ALL = [(name, service) for file in (BASE, OVERRIDE) for name, service in file.items()]


@pytest.mark.parametrize("file", [BASE, OVERRIDE], ids=FILES)
def test_a_stopping_worker_is_given_the_time_that_it_needs(file: dict[str, Any]) -> None:
    worker = file["worker"]
    drain = int(worker["environment"]["DRAIN_SECONDS"])
    margin = CLOSING_SECONDS if file is BASE else 10
    assert seconds(worker["stop_grace_period"]) >= drain + margin


def test_the_production_worker_drains_as_long_as_by_default() -> None:
    drain = BASE["worker"]["environment"]["DRAIN_SECONDS"]
    assert int(drain) == Settings.model_fields["drain_seconds"].default


@pytest.mark.parametrize("name", BASE)
def test_every_service_is_pinned_watched_and_restarted(name: str) -> None:
    service = BASE[name]
    _, _, tag = service["image"].partition(":")
    assert re.search(r"\d+\.\d+", tag)
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"]
    assert service["logging"] == {"driver": "local"}  # rotated


def test_the_images_are_those_that_the_project_is_tested_with() -> None:
    assert BASE["livekit"]["image"] == DOCKER_IMAGE
    assert {BASE[name]["image"].partition(":")[2] for name in OURS} == {agent.__version__}


@pytest.mark.parametrize("name", [*OURS, "kyutai-tts", "kyutai-stt"])
def test_our_services_have_few_rights(name: str) -> None:
    service = BASE[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize(("name", "service"), ALL)
def test_no_port_is_published_beyond_this_host(name: str, service: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    if service.get("network_mode") == "host":
        assert "ports" not in service, f"{name} would ignore them"


@pytest.mark.parametrize("name", ["engine", "engine-gpu", "llm"])
def test_keys_stay_with_those_who_need_them(name: str) -> None:
    environment = BASE[name]["environment"]
    # Empty values win over .env.
    for key in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"):
        assert environment[key] == ""


@pytest.mark.parametrize(("name", "service"), ALL)
def test_no_secret_stands_in_the_files(name: str, service: dict[str, Any]) -> None:
    for key, value in service.get("environment", {}).items():
        if re.search("KEY|SECRET|TOKEN", key) and value not in ("true", "false"):
            assert VARIABLE.sub("", value).strip(": ") == "", f"{name}: {key}"


@pytest.mark.parametrize(("name", "service"), ALL)
def test_every_variable_is_a_setting_or_known_to_another_program(
    name: str, service: dict[str, Any]
) -> None:
    set_here = service.get("environment", {}).keys()
    assert set_here <= SETTINGS.keys() | THEIRS.get(name, set())
    read = {match["name"] for match in VARIABLE.finditer(json.dumps(service))}
    assert read <= SETTINGS.keys() | FOREIGN_VARIABLES


@pytest.mark.parametrize("name", OURS)
def test_health_checks_ask_where_the_processes_listen_by_default(name: str) -> None:
    service = BASE[name]
    cache = Path(service["environment"]["ELOQUENCE_CACHE_DIR"])
    matches = list(VARIABLE.finditer(service["healthcheck"]["test"]))
    assert matches
    for match in matches:
        field = SETTINGS[match["name"]]
        default = (
            default_engine_url(cache)
            if field == "engine_url"
            else Settings.model_fields[field].default
        )
        assert match["default"] == str(default)


def test_the_cache_is_one_volume_for_the_engine_its_socket_and_its_clients() -> None:
    for name in ("engine", "engine-gpu", "llm", "worker"):
        cache = BASE[name]["environment"]["ELOQUENCE_CACHE_DIR"]
        assert BASE[name]["volumes"] == [f"cache:{cache}"]
        assert f"ELOQUENCE_CACHE_DIR={cache}" in DOCKERFILE


def test_the_worker_waits_for_whichever_engine_and_model_were_chosen() -> None:
    needs = BASE["worker"]["depends_on"]
    assert all(need["condition"] == "service_healthy" for need in needs.values())
    optional = {name for name, need in needs.items() if need.get("required") is False}
    assert optional == {"engine", "engine-gpu", "llm", "vllm", "kyutai-tts", "kyutai-stt"}
    assert optional == {name for name in optional if BASE[name].get("profiles")}
    assert "livekit" in needs.keys() - optional


def test_vllm_can_call_tools_and_listens_where_the_documentation_says() -> None:
    command = BASE["vllm"]["command"]
    assert "--enable-auto-tool-choice" in command
    assert any(word.startswith("--tool-call-parser=") for word in command)
    (port,) = BASE["vllm"]["ports"]
    address, _, _ = port.rpartition(":")
    running = (ROOT / "docs" / "running.md").read_text()
    assert f"LLM_BASE_URL=http://{address}/v1" in running
    model = VARIABLE.fullmatch(command[0])
    assert model is not None
    assert f"LLM_MODEL={model['default']}" in running


@pytest.mark.parametrize("name", ["engine-gpu", "vllm", "kyutai-tts", "kyutai-stt"])
def test_gpu_services_reserve_one(name: str) -> None:
    (device,) = BASE[name]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}


@pytest.mark.parametrize(
    ("target", "path", "setting"),
    [("tts", tts.PATH, "KYUTAI_URL"), ("stt", stt.PATH, "KYUTAI_STT_URL")],
)
def test_kyutais_servers_are_what_the_plugin_and_the_documentation_expect(
    target: str, path: str, setting: str
) -> None:
    service = BASE[f"kyutai-{target}"]
    build = service["build"]
    assert (ROOT / build["context"]).samefile(KYUTAI) and build["target"] == target
    _, _, stage = KYUTAI_DOCKERFILE.partition(f" AS {target}\n")
    stage = stage.partition("\nFROM ")[0]
    assert f'CMD ["--config", "/etc/moshi-server/{target}.toml"]' in stage
    assert re.findall(r"^USER (\S+)$", stage, re.MULTILINE)[-1] == "10001:10001"
    # Where the container listens, and where on this host.
    (port,) = service["ports"]
    address, _, inside = port.rpartition(":")
    assert f'"--port", "{inside}"' in KYUTAI_DOCKERFILE
    assert f":{inside}/" in service["healthcheck"]["test"][-1]
    running = (ROOT / "docs" / "running.md").read_text()
    assert f"{setting}=ws://{address}" in running
    assert f"{address}/metrics" in running
    (volume,) = service["volumes"]
    assert f"HF_HOME={volume.partition(':')[2]} " in KYUTAI_DOCKERFILE

    config = tomllib.loads((KYUTAI / f"{target}.toml").read_text())
    default = Settings.model_fields["kyutai_api_key"].default.get_secret_value()
    assert config["authorized_ids"] == [default]
    (module,) = config["modules"].values()
    assert module["path"] == path
    assert module["batch_size"] >= Settings.model_fields["max_calls"].default
    # Everybody may read that folder, and what is said does not belong into any.
    assert config["static_dir"] == "/nonexistent"
    assert "log_frequency_s" not in module


def test_prometheus_asks_where_the_worker_and_livekit_answer_and_grafana_asks_prometheus() -> None:
    config = yaml.safe_load((MONITORING / "prometheus" / "prometheus.yml").read_text())
    asked = {
        job["job_name"]: job["static_configs"][0]["targets"][0]
        + job.get("metrics_path", "/metrics")
        for job in config["scrape_configs"]
    }
    worker = f"127.0.0.1:{Settings.model_fields['worker_port'].default}"
    livekit = yaml.safe_load((ROOT / "livekit.yaml").read_text())["prometheus"]["port"]
    assert asked == {
        "eloquence-worker": f"{worker}{metrics_routes.PATH}",
        "eloquence-engine": f"{worker}{metrics_routes.ENGINE_PATH}",
        "livekit": f"127.0.0.1:{livekit}/metrics",
    }
    sources = MONITORING / "grafana" / "provisioning" / "datasources" / "prometheus.yml"
    (source,) = yaml.safe_load(sources.read_text())["datasources"]
    address = source["url"].removeprefix("http://")
    assert f"--web.listen-address={address}" in BASE["prometheus"]["command"]
    assert address.startswith("127.0.0.1:")


def test_grafana_shows_the_dashboard_to_this_host_and_asks_nobody_else() -> None:
    grafana = BASE["grafana"]
    assert grafana["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    mounted = dict(volume.removesuffix(":ro").split(":") for volume in grafana["volumes"])
    for folder in (name for name in mounted if name.startswith(".")):
        assert (ROOT / folder).is_dir()
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    (provider,) = yaml.safe_load(
        (MONITORING / "grafana" / "provisioning" / "dashboards" / "eloquence.yml").read_text()
    )["providers"]
    folder = provider["options"]["path"]
    assert mounted["./docker/grafana/dashboards"] == folder
    assert home == f"{folder}/eloquence.json"
    panels = json.loads((MONITORING / "grafana" / "dashboards" / "eloquence.json").read_text())
    assert {panel["datasource"]["uid"] for panel in panels["panels"] if "targets" in panel} == {
        "prometheus"
    }


def test_kyutais_image_has_the_server_that_the_plugin_is_checked_against() -> None:
    (version,) = re.findall(
        r"^version=(\S+)$", (ROOT / "scripts" / "moshi-server").read_text(), re.M
    )
    assert f"cargo install moshi-server@{version} --locked --features cuda" in KYUTAI_DOCKERFILE


def test_the_development_form_restarts_the_worker_on_what_is_mounted() -> None:
    worker = OVERRIDE["worker"]
    program, *arguments = worker["command"]
    assert program == "watchfiles"
    command, *watched = (word for word in arguments if not word.startswith("--"))
    assert command == "python -m agent.worker.dev"
    mounted = dict(volume.removesuffix(":ro").split(":") for volume in worker["volumes"])
    assert set(watched) == set(mounted.values())
    assert all((ROOT / folder).is_dir() for folder in mounted)
    # The mounted packages come before those in the image.
    for path in worker["environment"]["PYTHONPATH"].split(":"):
        assert any(f"{path}/".startswith(f"{top}/") or top.startswith(path) for top in watched)


def test_the_development_form_has_the_configuration_that_up_uses() -> None:
    expected = json.loads(loopback_config(Settings(log_level="INFO"), KEYS))
    del expected["keys"]
    config = OVERRIDE["livekit"]["environment"]["LIVEKIT_CONFIG"]
    assert yaml.safe_load(config) == expected


def test_the_image_has_every_target_and_runs_as_nobody_special() -> None:
    stages = dict(re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE))
    names = set(stages.values()) | set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
    targets = {BASE[name]["build"]["target"] for name in OURS}
    assert targets == {"eloquence", "eloquence-gpu"}
    assert targets <= names
    for target in targets:
        _, _, stage = DOCKERFILE.partition(f" AS {target}\n")
        users = re.findall(r"^USER (\S+)$", stage.partition("\nFROM ")[0], re.MULTILINE)
        assert users[-1] == "10001:10001"


def test_the_image_passes_the_notices_on() -> None:
    assert "COPY LICENSE NOTICE /usr/share/doc/" in DOCKERFILE
    assert "LicenseRef-LiveKit-Model" in DOCKERFILE
