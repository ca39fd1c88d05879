"""Settings: the naming scheme, the faults and what is sound all the same."""

from __future__ import annotations

import re
from operator import attrgetter
from pathlib import Path

import pytest

from chalicelib.alarm_path.standards import Standard
from chalicelib.alert.model import Severity
from chalicelib.cloudtrail.catalog import DEFAULT_WATCH, EventGroup
from chalicelib.settings.environment import read_settings, watched_groups
from chalicelib.settings.fields import STANDARDS
from chalicelib.settings.kinds import KINDS
from chalicelib.settings.model import AuditSettings, Settings, SettingsError
from chalicelib.settings.stage import stage_faults, stage_variables
from chalicelib.settings.table import EVERY_DESTINATION, GLOBALS
from tests.support.rows import every

URL = "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnop"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:security"
DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


API_URLS = [kind.variable(item.name) for kind in KINDS for item in kind.fields if item.holds_url]


def faults_of(**environ: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read_settings(environ)
    return caught.value.faults


def test_one_destination_of_a_kind_is_named_after_the_kind() -> None:
    (slack,) = read_settings({"SLACK_WEBHOOK_URL": URL}).destinations
    assert (slack.kind, slack.name, slack.values["WEBHOOK_URL"]) == ("slack", "slack", URL)
    assert slack.filter.min_severity is Severity.INFO


def test_several_destinations_of_a_kind_have_names_of_their_own() -> None:
    settings = read_settings(
        {
            "SLACK_WEBHOOK_URL": URL,
            "SLACK__SEC_OPS__WEBHOOK_URL": URL + "2",
            "SLACK__SEC_OPS__MIN_SEVERITY": "high",
            "SNS__MAIL__TOPIC_ARN": TOPIC,
            "SNS__MAIL__FORMAT": "json",
            "WEBHOOK_URL": "https://example.com/hook",
        }
    )
    assert [each.name for each in settings.destinations] == ["slack", "slack.sec_ops", "sns.mail", "webhook"]
    assert settings.destinations[1].filter.min_severity is Severity.HIGH
    assert settings.destinations[2].values == {"TOPIC_ARN": TOPIC, "FORMAT": "json"}


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_a_topic_may_be_in_any_partition(partition: str) -> None:
    assert read_settings({"SNS_TOPIC_ARN": TOPIC.replace("aws", partition, 1)}).destinations


def test_all_faults_are_reported_together() -> None:
    assert faults_of(
        SLACK_WEBHOOK_URL=URL, SLACK_MIN_SEVERITY="hihg", SNS_TOPIC_ARN="security", WATCH="ruels", LOG_LEVEL="loud"
    ) == (
        'WATCH: "ruels" is not one of rules, groups, attachments, prefix_lists, tamper; did you mean "rules"?',
        'LOG_LEVEL: "loud" is not one of debug, info, warning, error',
        'SLACK_MIN_SEVERITY: "hihg" is not one of info, low, medium, high, critical; did you mean "high"?',
        'SNS_TOPIC_ARN: "security" is not the ARN of an SNS topic such as arn:aws:sns:eu-west-1:123456789012:security',
    )


def test_no_destination_at_all_is_a_fault() -> None:
    (fault,) = faults_of(PATH="/usr/bin")
    assert "no destination is configured" in fault
    assert "SLACK_WEBHOOK_URL" in fault


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("SLACK_WEBHOK_URL", 'did you mean "WEBHOOK_URL"'),
        ("SLACK_SECOPS_WEBHOOK_URL", 'did you mean "SLACK__SECOPS__WEBHOOK_URL"'),
        ("SLACK__SECOPS_WEBHOOK_URL", "written SLACK__<NAME>__<FIELD>"),
        ("SLACK__A__B__WEBHOOK_URL", "written SLACK__<NAME>__<FIELD>"),
        ("SLACK__SecOps__WEBHOOK_URL", "capital letters"),
        ("SLAK_WEBHOOK_URL", 'did you mean "SLACK_WEBHOOK_URL"'),
        ("IGNORE_WEN", 'did you mean "IGNORE_WHEN"'),
        ("MIN_SEVERITY", "belongs to a destination"),
        ("slack_webhook_url", "settings are in capital letters"),
        ("Webhook__Ops__URL", "settings are in capital letters"),
        ("ignore_when", "settings are in capital letters"),
    ],
)
def test_a_variable_that_would_be_ignored_is_a_fault(variable: str, said: str) -> None:
    (fault,) = faults_of(**{"SNS_TOPIC_ARN": TOPIC, variable: "x"})
    assert fault.startswith(variable)
    assert said in fault


def test_a_webhook_has_the_formats_of_the_table_and_no_other() -> None:
    url = "https://example.com/hook"
    (webhook,) = read_settings({"WEBHOOK_URL": url, "WEBHOOK_FORMAT": "alert"}).destinations
    assert webhook.values == {"URL": url, "FORMAT": "alert"}
    assert faults_of(WEBHOOK_URL=url, WEBHOOK_FORMAT="xml") == (
        'WEBHOOK_FORMAT: "xml" is not one of alert, cloudevents, ocsf',
    )


DURABLE = {"DELIVERY_QUEUE": "sgwatch-prod-deliveries.fifo", "STATE_TABLE": "sgwatch-prod-state"}
HELD = {"SLACK_MIN_SEVERITY": "high", "SLACK_DIGEST": "daily", "SLACK_QUIET_HOURS": "22:00-07:00 Europe/Berlin"}


def test_a_digest_and_quiet_hours_are_read_in_durable_delivery() -> None:
    (slack,) = read_settings({"SLACK_WEBHOOK_URL": URL, **HELD, **DURABLE}).destinations
    assert slack.digest is not None
    assert slack.digest.at.hour == 8
    assert slack.quiet_hours is not None
    assert slack.quiet_hours.begin.at.hour == 22


def test_what_waits_needs_durable_delivery_and_what_is_at_fault_leaves_the_destination() -> None:
    settings, faults = sound({"SLACK_WEBHOOK_URL": URL, **HELD})
    assert faults == tuple(
        f"{name} needs durable delivery, which keeps what waits: run `sgwatch setup`, or remove it"
        for name in ("SLACK_DIGEST", "SLACK_QUIET_HOURS")
    )
    assert [(each.name, each.digest, each.quiet_hours) for each in settings.destinations] == [("slack", None, None)]


@pytest.mark.parametrize("least", [{}, {"SLACK_MIN_SEVERITY": "info"}])
def test_a_digest_of_nothing_is_a_fault(least: dict[str, str]) -> None:
    (fault,) = faults_of(SLACK_WEBHOOK_URL=URL, SLACK_DIGEST="daily", **least, **DURABLE)
    assert fault.startswith("SLACK_DIGEST: every alert is sent at once, so nothing is left for a digest: ")
    assert "set SLACK_MIN_SEVERITY to" in fault


@pytest.mark.parametrize(
    ("variable", "text"), [("SLACK_DIGEST", "weekly"), ("SLACK_QUIET_HOURS", "22-7"), ("SLACK_QUIET_HOURS", "at night")]
)
def test_times_that_are_none_are_faults(variable: str, text: str) -> None:
    (fault,) = faults_of(**{"SLACK_WEBHOOK_URL": URL, **DURABLE, variable: text})
    assert fault.startswith(f'{variable}: "{text}" is n')
    assert "Europe/Berlin" in fault


NO_SECRETS = sorted(
    {item.name for item in (*GLOBALS, *EVERY_DESTINATION) if not item.secret}
    | {kind.variable(item.name) for kind in KINDS for item in kind.fields if not item.secret}
)


SECRETS = (URL, "whsec_" + "a" * 32, "xoxb-1234-abcd", "https://example.com/x?key=hush", "AKIAIOSFODNN7EXAMPLE")
MISPLACED = [
    (variable, secret)
    for variable in NO_SECRETS
    for secret in SECRETS
    # A URL belongs into some of them.
    if not secret.startswith("https://example") or variable not in ("DELIVERY_QUEUE", "RUNBOOK_URL", *API_URLS)
]


@every(("variable", "secret"), MISPLACED)
def test_a_secret_in_the_wrong_variable_is_a_fault_and_masked(variable: str, secret: str) -> None:
    name = f"SLACK_{variable}" if variable in {item.name for item in EVERY_DESTINATION} else variable
    with pytest.raises(SettingsError) as caught:
        read_settings({"SLACK_WEBHOOK_URL": URL + "x", name: secret})
    rows = caught.value.sound.describe()
    assert any(fault.startswith(name) for fault in caught.value.faults)
    assert secret not in str(caught.value)
    assert [row.shown for row in rows if row.variable == name and secret in row.shown] == []
    assert secret in caught.value.sound.secrets or name not in {row.variable for row in rows}


KEYS = (
    "0123456789abcdef0123456789ABCDEF",
    "R0123456789abcdefghijklmnopqrstu",
    "01234567-89ab-cdef-0123-456789abcdef",
    "hidden-SECRET-plant0123456789abcdef",
)
NO_KEYS = [variable for variable in NO_SECRETS if variable != "ENRICH_EXTERNAL_ID"]


@every("key", KEYS)
@every("variable", NO_KEYS)
def test_what_may_be_a_key_is_shown_in_no_variable(variable: str, key: str) -> None:
    name = f"SLACK_{variable}" if variable in {item.name for item in EVERY_DESTINATION} else variable
    settings, faults = sound({"SLACK_WEBHOOK_URL": URL, name: key})
    shown = " ".join((*faults, *(row.shown for row in settings.describe())))
    assert key not in shown
    assert any(fault.startswith(name) for fault in faults) or key == KEYS[-1]


def sound(environ: dict[str, str]) -> tuple[Settings, tuple[str, ...]]:
    try:
        return read_settings(environ), ()
    except SettingsError as error:
        return error.sound, tuple(error.faults)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("STATE_TABLE", "sgwatch-eu-west-1-prod-state"),
        ("STATE_TABLE", "sgwatch-prod-StateTable-1ABC2DEF3GHI4"),
        ("ENRICH_ROLE", "arn:aws:iam::123456789012:role/AWSControlTowerExecution"),
        ("ENRICH_EXTERNAL_ID", KEYS[0]),
        ("ENRICH_EXTERNAL_ID", KEYS[2]),
        ("OWNER_TAGS", "aws:cloudformation:stack-name,Owner"),
        ("SNS_TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:alerts-AlertsTopic0A1B2C3D4E-1ABC2DEF3GHI4"),
        ("RECONCILE_REGIONS", "eu-west-1,eu-west-2,eu-central-1,us-east-1"),
        ("SLACK_WHEN", "account.id == '123456789012' && contains(security_group.id, '0a1b2c3d4e5f60718')"),
    ],
)
def test_names_that_only_resemble_a_key_are_shown(variable: str, value: str) -> None:
    settings, _ = sound({"SLACK_WEBHOOK_URL": URL, variable: value})
    assert value in [row.shown for row in settings.describe() if row.variable == variable]


def test_variables_of_the_runtime_are_no_business_of_ours() -> None:
    runtime = {
        "PATH": "/",
        "LANG": "C",
        "AWS_LAMBDA_LOG_FORMAT": "Text",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "_HANDLER": "a",
    }
    assert len(read_settings({"SNS_TOPIC_ARN": TOPIC, **runtime}).destinations) == 1


def test_an_empty_variable_is_a_fault() -> None:
    assert faults_of(SLACK_WEBHOOK_URL=" ") == ("SLACK_WEBHOOK_URL is empty: give it a value, or remove it",)


def test_a_field_without_its_destination_is_a_fault() -> None:
    (fault,) = faults_of(SLACK__OPS__MIN_SEVERITY="high")
    assert fault.startswith("SLACK__OPS__MIN_SEVERITY is set but SLACK__OPS__WEBHOOK_URL is not")


@pytest.mark.parametrize(
    "scheme", ["http://example.com/hush-hush", "ftp://hush-hush", "hush-hush", "https://:x/hush-hush"]
)
def test_a_fault_never_shows_a_secret(scheme: str) -> None:
    faults = faults_of(WEBHOOK_URL=scheme, WEBHOOK_SECRET="hush-hush!")
    assert len(faults) == 2
    assert "hush-hush" not in "".join(faults)


def test_loopback_may_do_without_tls() -> None:
    assert read_settings({"WEBHOOK_URL": "http://127.0.0.1:8080/hook"}).destinations


@pytest.mark.parametrize(
    "value", ["ssm:/sgwatch/slack", "secretsmanager:sgwatch/slack#url", "secretsmanager:sgwatch/slack"]
)
def test_a_secret_may_be_a_reference_and_references_are_shown(value: str) -> None:
    settings = read_settings({"SLACK_WEBHOOK_URL": value})
    assert [row.shown for row in settings.describe() if row.variable == "SLACK_WEBHOOK_URL"] == [value]
    assert settings.secrets == ()


@pytest.mark.parametrize("value", ["ssm:", "ssm:/a b", "secretsmanager:#key", "secretsmanager:"])
def test_a_malformed_reference_is_a_fault(value: str) -> None:
    (fault,) = faults_of(SLACK_WEBHOOK_URL=value)
    assert "a reference to" in fault


def test_what_is_sound_is_at_hand_with_the_faults() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(
            {"SLACK_WEBHOOK_URL": "nonsense", "SNS_TOPIC_ARN": TOPIC, "SNS_MIN_SEVERITY": "hihg", "IGNORE_WHEN": "("}
        )
    sound = caught.value.sound
    assert len(caught.value.faults) == 3
    assert [each.name for each in sound.destinations] == ["sns"]
    assert sound.destinations[0].filter.min_severity is Severity.INFO
    assert sound.ignore_when is None


def test_a_faulty_filter_lets_everything_through_rather_than_nothing() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({"SNS_TOPIC_ARN": TOPIC, "SNS_WHEN": 'severity == "high"'})
    assert "single quotes" in caught.value.faults[0]
    assert caught.value.sound.destinations[0].filter.when is None


def test_settings_are_read_back_with_origin_and_masked() -> None:
    rows = read_settings({"SLACK_WEBHOOK_URL": URL, "SLACK_MIN_SEVERITY": "low"}, "stage prod").describe()
    shown = {row.variable: (row.shown, row.source) for row in rows}
    assert shown["SLACK_WEBHOOK_URL"] == (f"(secret, {len(URL)} characters)", "stage prod")
    assert shown["SLACK_MIN_SEVERITY"] == ("low", "stage prod")
    assert shown["WATCH"] == ("rules,groups,attachments,prefix_lists,tamper", "default")


def test_no_representation_of_settings_holds_a_secret() -> None:
    settings = read_settings({"SLACK_WEBHOOK_URL": URL})
    assert URL not in repr(settings)
    assert settings.secrets == (URL,)


def test_watch_chooses_the_groups_in_the_catalogs_order() -> None:
    settings = read_settings({"SNS_TOPIC_ARN": TOPIC, "WATCH": "attachments, rules"})
    assert settings.watch == (EventGroup.RULES, EventGroup.ATTACHMENTS)
    assert read_settings({"SNS_TOPIC_ARN": TOPIC}).watch == DEFAULT_WATCH


def test_tampering_may_be_all_that_is_watched() -> None:
    assert read_settings({"SNS_TOPIC_ARN": TOPIC, "WATCH": "tamper"}).watch == (EventGroup.TAMPER,)


def test_the_audit_has_settings_of_its_own() -> None:
    assert read_settings({"SNS_TOPIC_ARN": TOPIC}).audit == AuditSettings("cis_5", None, auto_repair=False)
    chosen = {"AUDIT_STANDARD": "security_hub", "HEARTBEAT_URL": "https://example.com/ping", "AUTO_REPAIR": "true"}
    settings = read_settings({"SNS_TOPIC_ARN": TOPIC, **chosen})
    assert settings.audit == AuditSettings("security_hub", "https://example.com/ping", auto_repair=True)
    assert settings.secrets == ("https://example.com/ping",)
    assert "example.com" not in repr(settings.audit)


def test_faults_in_the_settings_of_the_audit_are_reported() -> None:
    given = {"AUDIT_STANDARD": "cis", "HEARTBEAT_URL": "http://hush-hush", "AUTO_REPAIR": "yes"}
    faults = faults_of(SNS_TOPIC_ARN=TOPIC, **given)
    assert [fault.split(":")[0] for fault in faults] == list(given)
    assert "hush-hush" not in "".join(faults)


def test_the_standards_are_those_of_the_audit() -> None:
    assert tuple(Standard) == STANDARDS


def test_a_faulty_watch_stops_a_deployment_but_no_alert() -> None:
    with pytest.raises(SettingsError, match="WATCH"):
        watched_groups({"WATCH": "ruels"})
    assert watched_groups({"WATCH": "ruels", "AWS_LAMBDA_FUNCTION_NAME": "f"}) == DEFAULT_WATCH
    assert watched_groups({"WATCH": "groups"}) == (EventGroup.GROUPS,)


def test_the_documentation_has_every_setting_and_no_other() -> None:
    fields = [variable for kind in KINDS for variable in kind.variables()]
    expected = {item.name for item in GLOBALS} | set(fields) | {f"…_{item.name}" for item in EVERY_DESTINATION}
    page = re.sub(r"<!-- events -->.*<!-- /events -->", "", DOCS.read_text(), flags=re.DOTALL)
    documented = set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE))
    assert sorted(expected - documented) == [], "run `make docs`: no row in docs/settings.md"
    assert sorted(documented - expected) == [], "a row of docs/settings.md is of no setting"


CERTIFICATE = "ssm:/sgwatch/prod/certificates"
# Setting → a text that is not its default, and what the app is given for it, by its path in Settings.
GIVEN: dict[str, tuple[str, str, object]] = {
    "WATCH": ("groups", "watch", (EventGroup.GROUPS,)),
    "IGNORE_WHEN": ("severity == 'low'", "ignore_when.text", "severity == 'low'"),
    "LOG_LEVEL": ("debug", "log_level", "debug"),
    "AUDIT_STANDARD": ("security_hub", "audit.standard", "security_hub"),
    "HEARTBEAT_URL": ("https://example.com/beat", "audit.heartbeat_url", "https://example.com/beat"),
    "AUTO_REPAIR": ("true", "audit.auto_repair", True),
    "DELIVERY_QUEUE": ("other.fifo", "durable.queue", "other.fifo"),
    "STATE_TABLE": ("other", "durable.table", "other"),
    "BURST_WINDOW": ("90", "durable.burst_seconds", 90),
    "RECONCILE_REGIONS": ("eu-west-1,us-east-1", "durable.regions", ("eu-west-1", "us-east-1")),
    "FLEET_ACCOUNTS": ("123456789012", "durable.accounts", ("123456789012",)),
    "ENRICH": ("false", "enrichment", None),
    "ENRICH_TIMEOUT": ("2", "enrichment.timeout", 2.0),
    "ENRICH_ROLE": ("reader", "enrichment.role", "reader"),
    "ENRICH_EXTERNAL_ID": ("sgwatch-example", "enrichment.external_id", "sgwatch-example"),
    "ENRICH_CONFIG": ("true", "enrichment.with_config", True),
    "ACCOUNT_NAMES": ("123456789012=production", "enrichment.account_names", {"123456789012": "production"}),
    "OWNER_TAGS": ("squad", "enrichment.owner_tags", ("squad",)),
    "HTTPS_PROXY_URL": ("http://proxy.example.com:3128", "http.proxy_url", "http://proxy.example.com:3128"),
    "CA_BUNDLE": (CERTIFICATE, "http.ca_bundle", CERTIFICATE),
    "RUNBOOK_URL": ("https://example.com/runbook", "runbook", "https://example.com/runbook"),
}


@every("setting", [item.name for item in GLOBALS])
def test_the_app_is_given_what_each_setting_says(setting: str) -> None:
    assert setting in GIVEN, "no row in GIVEN of tests/settings/test_settings.py"
    text, path, given = GIVEN[setting]
    durable = {"DELIVERY_QUEUE": "sgwatch-prod.fifo", "STATE_TABLE": "sgwatch-prod", "ENRICH": "true"}
    settings = read_settings({"SNS_TOPIC_ARN": TOPIC, **durable, setting: text})
    assert attrgetter(path)(settings) == given


def test_the_documentation_gives_each_settings_meaning_and_default() -> None:
    page = DOCS.read_text()
    own = [("", item) for item in GLOBALS] + [("…_", item) for item in EVERY_DESTINATION]
    own_names = [(f"{prefix}{item.name}", item) for prefix, item in own]
    for variable, item in own_names + [(kind.variable(item.name), item) for kind in KINDS for item in kind.fields]:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{variable}` |"))
        assert item.meaning in row
        assert item.default is None or f"`{item.default}`" in row


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"SLACK_WEBHOOK_URL": f'"{URL}"'}, "SLACK_WEBHOOK_URL: it stands in quotation marks: write it without them"),
        (
            {"SLACK_WEBHOOK_URL": URL.replace("https", "http")},
            "SLACK_WEBHOOK_URL: the URL does not begin with https://",
        ),
        ({"SLACK_WEBHOOK_URL": "https://acme.slack.com/archives/C0123456789"}, "it is the link of a channel"),
        ({"SLACK_WEBHOOK_URL": "https://app.slack.com/client/T1/C1"}, "it is the link of a channel"),
        (
            {"SLACK_WEBHOOK_URL": "arn:aws:ssm:eu-west-1:123456789012:parameter/sgwatch/prod/slack"},
            "it is an ARN: a reference is written ssm:/sgwatch/prod/name",
        ),
        (
            {"SLACK_WEBHOOK_URL": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:sgwatch/prod/slack-AbCdEf"},
            "it is an ARN: a reference is written secretsmanager:sgwatch/prod/name",
        ),
        ({"ENRICH": "yes"}, 'ENRICH: "yes" is not one of true, false; did you mean "true"?'),
        ({"SLACK_WEBHOOK_URL": "ssm:/sgwatch/dev/slack"}, "is outside of what stage prod may read"),
        ({"SLACK_WEBHOOK_URL": "ssm:/sgwatch/slack"}, "keep it under ssm:/sgwatch/prod/ or ssm:/sgwatch/shared/"),
        ({"SLACK_WEBHOOK_URL": "secretsmanager:sgwatch/slack"}, "keep it under secretsmanager:sgwatch/prod/ or"),
        ({"SNS_TOPIC_ARN": "ssm:/sgwatch/prod/topic"}, "is a reference, and this setting is not looked up"),
        ({"ENRICH": True}, "ENRICH: true is not in quotation marks, and a setting is text"),
        ({"SLACK_WHEN": "severity == 'high'" + " " * 4000 + "&& region"}, "Lambda allows 4,096"),
        ({}, "no destination is configured"),
    ],
)
def test_the_mistakes_of_a_first_deployment_are_faults_of_the_stage(environ: dict[str, object], said: str) -> None:
    alone = not environ or any("URL" in name for name in environ)
    variables = environ if alone else {"SLACK_WEBHOOK_URL": URL, **environ}
    (fault,) = [fault for fault in stage_faults(variables, "prod") if said in fault]
    assert URL not in fault


@pytest.mark.parametrize(
    "reference",
    [
        "ssm:/sgwatch/prod/slack",
        "ssm:/sgwatch/shared/slack",
        "ssm:arn:aws:ssm:eu-west-1:123456789012:parameter/sgwatch/prod/slack",
        "secretsmanager:sgwatch/shared/slack#url",
        "secretsmanager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:sgwatch/prod/slack-AbCdEf",
    ],
)
def test_references_under_the_stages_own_names_and_the_shared_ones_are_sound(reference: str) -> None:
    assert stage_faults({"SLACK_WEBHOOK_URL": reference}, "prod") == ()


def test_all_faults_of_a_stage_come_together() -> None:
    faults = stage_faults({"SLACK_WEBHOOK_URL": "ssm:/x", "ENRICH": "yes", "LOG_LEVEL": 1, "WATCH": "rule"}, "prod")
    assert [fault.split(":")[0] for fault in faults] == ["LOG_LEVEL", "WATCH", "ENRICH", "SLACK_WEBHOOK_URL"]


@pytest.mark.parametrize("spelling", ["HIGH", "High", "high"])
def test_capital_letters_make_no_difference_to_a_choice(spelling: str) -> None:
    settings = read_settings({"SNS_TOPIC_ARN": TOPIC, "SNS_MIN_SEVERITY": spelling, "ENRICH": "TRUE"})
    assert settings.destinations[0].filter.min_severity is Severity.HIGH
    assert settings.enrichment is not None


def test_the_variables_of_a_function_come_from_all_three_places_of_the_file() -> None:
    config = {
        "environment_variables": {"A": "app", "B": "app", "C": "app"},
        "stages": {
            "prod": {
                "environment_variables": {"B": "stage", "C": "stage"},
                "lambda_functions": {"deliver": {"environment_variables": {"C": "function"}}},
            }
        },
    }
    assert stage_variables(config, "prod") == {"A": "app", "B": "stage", "C": "stage"}
    assert stage_variables(config, "prod", "deliver") == {"A": "app", "B": "stage", "C": "function"}


def test_a_setting_that_is_not_set_is_as_the_table_says() -> None:
    settings = read_settings({"SNS_TOPIC_ARN": TOPIC})
    assert (settings.log_level, settings.watch) == (Settings().log_level, Settings().watch)
    assert settings.audit == AuditSettings()
    broken = faults_settings(LOG_LEVEL="loud", AUDIT_STANDARD="cis", BURST_WINDOW="x")
    assert (broken.log_level, broken.audit) == (settings.log_level, settings.audit)


def faults_settings(**environ: str) -> Settings:
    with pytest.raises(SettingsError) as caught:
        read_settings({"SNS_TOPIC_ARN": TOPIC, **environ})
    return caught.value.sound


@pytest.mark.parametrize("url", ["https://hooks.example.com/services/T0/plant", "https://example.com/x?sig=plant"])
def test_a_webhook_in_place_of_the_queue_is_shown_nowhere(url: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings({"WEBHOOK_URL": "https://example.com/hook", "DELIVERY_QUEUE": url, "STATE_TABLE": "state"})
    assert "DELIVERY_QUEUE" in str(raised.value)
    assert "plant" not in str(raised.value)


@pytest.mark.parametrize(
    ("headers", "outside"),
    [
        ("Authorization: Bearer ssm:/sgwatch/prod/token; X-Key: secretsmanager:sgwatch/shared/keys#hec", None),
        ("X-Team: sec; Authorization: Splunk ssm:/sgwatch/dev/token", "ssm:/sgwatch/dev/token"),
        ("X-Key: secretsmanager:other/keys#hec", "secretsmanager:other/keys#hec"),
    ],
)
def test_references_inside_headers_are_held_to_the_stage_like_others(headers: str, outside: str | None) -> None:
    faults = stage_faults({"WEBHOOK_URL": "https://example.com/hook", "WEBHOOK_HEADERS": headers}, "prod")
    assert [fault.partition(" is outside")[0] for fault in faults] == (
        [] if outside is None else [f'WEBHOOK_HEADERS: "{outside}"']
    )


def test_a_reference_inside_headers_that_is_none_is_a_fault() -> None:
    (fault,) = faults_of(WEBHOOK_URL="https://example.com/hook", WEBHOOK_HEADERS="Authorization: Bearer ssm:/a//b")
    assert "written ssm:/sgwatch/prod/name" in fault
