"""setup, teardown, redrive and silence against moto, functions deployed as Chalice names them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
import typer
from botocore.stub import Stubber
from moto import mock_aws
from moto.sqs.models import sqs_backends
from typer.testing import CliRunner

from chalicelib.delivery.envelope import Delivery, encode, read
from chalicelib.delivery.queue import DeadLetter, Queue
from chalicelib.deployment import WITH_EVENTS
from sgwatch import durable_access, durable_setup
from sgwatch.commands import redrive, setup, teardown
from sgwatch.commands.silence import app as silence
from sgwatch.durable_mending import differences
from sgwatch.durable_stack import Stack, StackError
from sgwatch.durable_template import StagePlace, package_template
from tests.support.alerts import critical_open_ssh
from tests.support.durable import Clock, numbered

REGION, ACCOUNT = "eu-west-1", "123456789012"
PLACE = StagePlace("dev", "aws", REGION, ACCOUNT, f"arn:aws:sns:{REGION}:{ACCOUNT}:on-call")
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")
Client = Callable[[str], Any]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        made = cache(boto3.client)
        # moto is one server, which has nothing more to say a second later.
        made("sqs").meta.events.register("provide-client-params.sqs.ReceiveMessage", _without_wait)
        yield made


def _without_wait(params: dict[str, Any], **_: Any) -> dict[str, Any]:
    return {**params, "WaitTimeSeconds": 0}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"stages": {"dev": {"environment_variables": {"LOG_LEVEL": "debug"}}}}))
    return path


def deploy(client: Client) -> None:
    """The functions and the event source mapping that `chalice deploy` makes."""
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = client("iam").create_role(RoleName="sgwatch-dev", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as bundle:
        bundle.writestr("app.py", "")
    for handler in (*WITH_EVENTS, "deliver"):
        client("lambda").create_function(
            FunctionName=PLACE.function(handler),
            Runtime="python3.13",
            Role=role,
            Handler=f"app.{handler}",
            Code={"ZipFile": packed.getvalue()},
        )
    client("lambda").create_event_source_mapping(
        EventSourceArn=PLACE.queue_arn(PLACE.queue), FunctionName=PLACE.function("deliver"), BatchSize=1
    )


def ready(client: Client, config: Path) -> None:
    """A stage that was set up, deployed and set up again."""
    assert durable_setup.run(PLACE, client, config, yes=True) == 1
    deploy(client)
    assert durable_setup.run(PLACE, client, config, yes=True) == 0


def test_setup_shows_the_change_set_makes_it_and_says_what_is_next(
    client: Client, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert durable_setup.run(PLACE, client, config, yes=True) == 1
    said = capsys.readouterr().out
    assert "  add AWS::SQS::Queue Deliveries" in said
    assert "Next: chalice deploy --stage dev" in said
    variables = json.loads(config.read_text())["stages"]["dev"]["environment_variables"]
    assert variables == {
        "LOG_LEVEL": "debug",
        "DELIVERY_QUEUE": "sgwatch-dev-deliveries.fifo",
        "STATE_TABLE": "sgwatch-dev-state",
    }


def test_setup_sets_what_chalice_has_no_setting_for(client: Client, config: Path) -> None:
    ready(client, config)
    for handler in WITH_EVENTS:
        function = client("lambda").get_function_event_invoke_config(FunctionName=PLACE.function(handler))
        assert function["MaximumRetryAttempts"] == 2
        assert function["MaximumEventAgeInSeconds"] == 21_600
        assert function["DestinationConfig"]["OnFailure"]["Destination"].endswith(":sgwatch-dev-failed-events")
    (mapping,) = client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_stage_that_does_not_watch_tampering_lacks_nothing(client: Client, config: Path) -> None:
    ready(client, config)
    client("lambda").delete_function(FunctionName=PLACE.function("alert_on_tampering"))
    client("lambda").delete_function(FunctionName=PLACE.function("audit_on_mending"))
    assert list(differences(PLACE, client)) == []


def test_a_second_setup_changes_nothing(client: Client, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ready(client, config)
    before = config.read_text()
    capsys.readouterr()
    assert durable_setup.run(PLACE, client, config, yes=False) == 0, "nothing is asked where nothing would change"
    assert "would" not in capsys.readouterr().out
    assert config.read_text() == before
    assert list(differences(PLACE, client)) == []


def damage_queue(client: Client) -> None:
    url = client("sqs").get_queue_url(QueueName=PLACE.queue)["QueueUrl"]
    client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})


def lose_dead_letter_queue(client: Client) -> None:
    url = client("sqs").get_queue_url(QueueName=PLACE.dead_letters)["QueueUrl"]
    client("sqs").delete_queue(QueueUrl=url)


def forget_nothing(client: Client) -> None:
    off = {"AttributeName": "expires_at", "Enabled": False}
    client("dynamodb").update_time_to_live(TableName=PLACE.table, TimeToLiveSpecification=off)


def lose_both_queues(client: Client) -> None:
    for name in (PLACE.queue, PLACE.dead_letters):
        client("sqs").delete_queue(QueueUrl=client("sqs").get_queue_url(QueueName=name)["QueueUrl"])


def ration_the_table(client: Client) -> None:
    least = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    client("dynamodb").update_table(TableName=PLACE.table, BillingMode="PROVISIONED", ProvisionedThroughput=least)


def forget_by_another_attribute(client: Client) -> None:
    forget_nothing(client)
    other = {"AttributeName": "lease_until", "Enabled": True}
    client("dynamodb").update_time_to_live(TableName=PLACE.table, TimeToLiveSpecification=other)


def take_many_at_once(client: Client) -> None:
    (mapping,) = client("lambda").list_event_source_mappings()["EventSourceMappings"]
    client("lambda").update_event_source_mapping(UUID=mapping["UUID"], BatchSize=10)


def lose_alarm(client: Client) -> None:
    client("cloudwatch").delete_alarms(AlarmNames=["sgwatch-dev-undelivered"])


def lose_dashboard(client: Client) -> None:
    client("cloudwatch").delete_dashboards(DashboardNames=["sgwatch-dev"])


def mute_alarm(client: Client) -> None:
    client("cloudwatch").disable_alarm_actions(AlarmNames=["sgwatch-dev-undelivered"])


def lose_failures(client: Client) -> None:
    client("lambda").delete_function_event_invoke_config(FunctionName=PLACE.function("alert_on_change"))


def lose_failures_on_tampering(client: Client) -> None:
    client("lambda").delete_function_event_invoke_config(FunctionName=PLACE.function("alert_on_tampering"))


def answer_for_nothing(client: Client) -> None:
    (mapping,) = client("lambda").list_event_source_mappings()["EventSourceMappings"]
    client("lambda").update_event_source_mapping(UUID=mapping["UUID"], FunctionResponseTypes=[])


@pytest.mark.parametrize(
    "damage",
    [
        damage_queue,
        pytest.param(lose_dead_letter_queue, marks=pytest.mark.slow),
        lose_both_queues,
        pytest.param(ration_the_table, marks=pytest.mark.slow),
        pytest.param(forget_nothing, marks=pytest.mark.slow),
        pytest.param(forget_by_another_attribute, marks=pytest.mark.slow),
        pytest.param(take_many_at_once, marks=pytest.mark.slow),
        pytest.param(lose_dashboard, marks=pytest.mark.slow),
        lose_alarm,
        pytest.param(mute_alarm, marks=pytest.mark.slow),
        pytest.param(lose_failures, marks=pytest.mark.slow),
        pytest.param(lose_failures_on_tampering, marks=pytest.mark.slow),
        answer_for_nothing,
    ],
)
def test_setup_mends_what_somebody_changed_by_hand(
    client: Client, config: Path, damage: Callable[[Client], None]
) -> None:
    ready(client, config)
    damage(client)
    assert list(differences(PLACE, client))
    assert durable_setup.run(PLACE, client, config, yes=True) == 0
    assert list(differences(PLACE, client)) == []


def test_setup_that_is_not_agreed_to_changes_nothing(
    client: Client, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = config.read_text()
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert durable_setup.run(PLACE, client, config, yes=False) == 1
    assert client("sqs").list_queues().get("QueueUrls", []) == []
    assert config.read_text() == before
    assert Stack(client("cloudformation"), PLACE).status() in (None, "DELETE_COMPLETE")


def test_setup_that_nobody_answers_leaves_no_plan_behind(
    client: Client, config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(typer.Exit):
        durable_setup.run(PLACE, client, config, yes=False)
    assert Stack(client("cloudformation"), PLACE).status() in (None, "DELETE_COMPLETE")
    assert "Nothing was changed." in capsys.readouterr().err


def test_a_change_set_that_somebody_left_behind_is_no_obstacle(client: Client) -> None:
    Stack(client("cloudformation"), PLACE).plan()
    client("cloudformation").delete_change_set(StackName=PLACE.stack, ChangeSetName="sgwatch-setup")
    assert Stack(client("cloudformation"), PLACE).status() == "REVIEW_IN_PROGRESS"
    assert Stack(client("cloudformation"), PLACE).plan().creates


def test_a_change_set_that_nobody_answered_for_gives_way() -> None:
    stubbed = Stubber(boto3.client("cloudformation", REGION, aws_access_key_id="t", aws_secret_access_key="t"))
    stubbed.add_response("describe_stacks", {"Stacks": [stack_as_it_is()]})
    stubbed.add_client_error("create_change_set", "AlreadyExistsException")
    stubbed.add_response("delete_change_set", {})
    stubbed.add_response("create_change_set", {})
    change = {"Action": "Modify", "ResourceType": "AWS::SQS::Queue", "LogicalResourceId": "Deliveries"}
    stubbed.add_response("describe_change_set", {"Status": "CREATE_COMPLETE", "Changes": [{"ResourceChange": change}]})
    with stubbed:
        assert Stack(stubbed.client, PLACE).plan().lines == ("change AWS::SQS::Queue Deliveries",)
    stubbed.assert_no_pending_responses()


def stack_as_it_is() -> dict[str, Any]:
    return {"StackName": PLACE.stack, "CreationTime": Clock().now(), "StackStatus": "CREATE_COMPLETE"}


def test_setup_keeps_the_alarm_topic_until_it_is_given_another(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".chalice").mkdir()
    (tmp_path / ".chalice" / "config.json").write_text(json.dumps({"stages": {"dev": {}}}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(durable_access, "client", client)
    program = typer.Typer()
    program.command()(setup.setup)
    for given, told in (((PLACE.topic,), [PLACE.topic]), ((), [PLACE.topic]), (("",), [])):
        options = ["--alarm-topic", *given] if given else []
        done = CliRunner().invoke(program, ["--stage", "dev", "--yes", *options])
        assert done.exit_code == 1, "chalice deploy is to come"
        (alarm,) = client("cloudwatch").describe_alarms(AlarmNames=["sgwatch-dev-undelivered"])["MetricAlarms"]
        assert alarm["AlarmActions"] == told


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--stage", "nope"), '"nope" is not a stage of .chalice/config.json; it has dev, prod'),
        (("--alarm-topic", "on-call"), '--alarm-topic: "on-call" is not the ARN of an SNS topic'),
    ],
)
def test_setup_makes_nothing_for_a_stage_or_a_topic_that_cannot_be(
    client: Client, options: tuple[str, str], said: str
) -> None:
    program = typer.Typer()
    program.command()(setup.setup)
    done = CliRunner().invoke(program, ["--yes", *options])
    assert done.exit_code == 2
    assert said in done.stderr
    assert client("cloudformation").describe_stacks()["Stacks"] == []


def test_there_is_nothing_to_tear_down_twice(client: Client, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert teardown.run(PLACE, client, config, yes=False) == 0
    assert capsys.readouterr().out == "Stack sgwatch-dev-durable is not there: nothing to remove.\n"


def test_a_stage_without_durable_delivery_is_shown_how_to_get_it(client: Client) -> None:
    program = typer.Typer()
    program.command()(redrive.redrive)
    for done in (
        CliRunner().invoke(program, ["--stage", "dev"]),
        CliRunner().invoke(silence, ["list", "--stage", "dev"]),
    ):
        assert done.exit_code == 2
        assert "stage dev has no durable delivery in this account and region; sgwatch setup --stage dev" in done.stderr


class RollingBack:
    """CloudFormation that rolls an update back: the API's own answers, in their order."""

    def __init__(self) -> None:
        self.exceptions = boto3.client("cloudformation").exceptions

    def describe_stacks(self, **_: Any) -> Any:
        return {"Stacks": [{"StackStatus": "UPDATE_ROLLBACK_COMPLETE"}]}

    def create_change_set(self, **_: Any) -> None:
        pass

    def describe_change_set(self, **_: Any) -> Any:
        change = {"Action": "Modify", "ResourceType": "AWS::SQS::Queue", "LogicalResourceId": "Deliveries"}
        return {"Status": "CREATE_COMPLETE", "Changes": [{"ResourceChange": change}]}

    def execute_change_set(self, **_: Any) -> None:
        pass

    def describe_stack_events(self, **_: Any) -> Any:
        event = {"ResourceStatus": "UPDATE_FAILED", "LogicalResourceId": "Deliveries", "ResourceStatusReason": "no"}
        return {"StackEvents": [event]}


def test_a_failed_update_says_why_and_leaves_settings_and_resources_as_they_were(client: Client, config: Path) -> None:
    ready(client, config)
    before = config.read_text()

    def failing(service: str) -> Any:
        return RollingBack() if service == "cloudformation" else client(service)

    with pytest.raises(StackError, match="UPDATE_ROLLBACK_COMPLETE: Deliveries: no"):
        durable_setup.run(PLACE, failing, config, yes=True)
    assert config.read_text() == before
    assert list(differences(PLACE, client)) == []


def test_teardown_waits_for_the_function_to_go_and_shows_what_is_left(
    client: Client, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ready(client, config)
    bury(client, "slack", 1)
    capsys.readouterr()
    assert teardown.run(PLACE, client, config, yes=True) == 1
    assert "sgwatch-dev-undelivered.fifo: 1 message" in capsys.readouterr().out
    assert "DELIVERY_QUEUE" not in config.read_text()
    client("lambda").delete_function(FunctionName=PLACE.function("deliver"))
    assert teardown.run(PLACE, client, config, yes=True) == 0
    assert Stack(client("cloudformation"), PLACE).status() in (None, "DELETE_COMPLETE")
    kept = client("lambda").list_function_event_invoke_configs(FunctionName=PLACE.function("alert_on_change"))
    assert kept["FunctionEventInvokeConfigs"] == [], "its on-failure destination is gone"


def test_who_does_not_want_to_lose_what_waits_is_shown_how_to_have_it_delivered(client: Client, config: Path) -> None:
    ready(client, config)
    bury(client, "slack", 1)
    client("lambda").delete_function(FunctionName=PLACE.function("deliver"))

    def tear_down() -> None:
        raise typer.Exit(teardown.run(PLACE, client, config, yes=False))

    program = typer.Typer()
    program.command()(tear_down)
    done = CliRunner().invoke(program, input="n\n")
    assert done.exit_code == 1
    assert "Lose 1 message and the state table for good?" in done.stdout
    assert "To have what waits delivered: sgwatch setup --stage dev, then chalice deploy --stage dev" in done.stderr
    assert waiting(client, PLACE.dead_letters) == 1


def bury(client: Client, destination: str, number: int) -> None:
    """A dead letter."""
    body = encode(Delivery(destination, numbered(number), Clock().now()))
    queue = Queue(lambda: client("sqs"), PLACE.queue)
    queue.send_to_dlq(
        DeadLetter(body, "it answered HTTP 404", destination, f"d{number}", f"m{number}", f"{destination}/g")
    )


def waiting(client: Client, name: str) -> int:
    url = client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])


def test_a_dry_run_shows_what_waits_and_why_and_leaves_it(
    client: Client, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    durable_setup.run(PLACE, client, config, yes=True)
    bury(client, "slack", 1)
    capsys.readouterr()
    for _ in range(2):
        assert redrive.run(PLACE, client, None, dry_run=True) == 1
        line = capsys.readouterr().out
        assert f"slack  {critical_open_ssh().title}: it answered HTTP 404" in line
    assert (waiting(client, PLACE.queue), waiting(client, PLACE.dead_letters)) == (0, 1)


def test_redrive_sends_again_what_is_for_one_destination(client: Client, config: Path) -> None:
    durable_setup.run(PLACE, client, config, yes=True)
    for number, name in enumerate(("slack", "slack", "webhook")):
        bury(client, name, number)
    assert redrive.run(PLACE, client, "slack", dry_run=False) == 0
    assert (waiting(client, PLACE.queue), waiting(client, PLACE.dead_letters)) == (2, 1)
    assert redrive.run(PLACE, client, None, dry_run=False) == 0
    assert (waiting(client, PLACE.queue), waiting(client, PLACE.dead_letters)) == (3, 0)


def test_redrive_sends_what_is_behind_other_letters_of_its_group(
    client: Client, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    durable_setup.run(PLACE, client, config, yes=True)
    for number in range(25):
        bury(client, "slack", number)
    capsys.readouterr()
    redrive.run(PLACE, client, None, dry_run=True)
    assert "15 more wait behind those of their groups." in capsys.readouterr().out
    assert redrive.run(PLACE, client, None, dry_run=False) == 0
    assert (waiting(client, PLACE.queue), waiting(client, PLACE.dead_letters)) == (25, 0)


def test_a_message_that_cannot_be_read_is_shown_and_stays(client: Client, config: Path) -> None:
    durable_setup.run(PLACE, client, config, yes=True)
    Queue(lambda: client("sqs"), PLACE.queue).send_to_dlq(DeadLetter("{", "the message is not JSON", "", "", "m", "g"))
    assert redrive.run(PLACE, client, None, dry_run=False) == 1
    assert (waiting(client, PLACE.queue), waiting(client, PLACE.dead_letters)) == (0, 1)


def test_redrive_keeps_the_order_of_a_group_and_its_end_can_come_at_any_moment(client: Client, config: Path) -> None:
    durable_setup.run(PLACE, client, config, yes=True)
    for number in range(25):
        bury(client, "slack", number)

    class Ending:
        """SQS until the seventh letter is taken away."""

        left = 7

        def __getattr__(self, name: str) -> Any:
            return getattr(client("sqs"), name)

        def delete_message(self, **arguments: Any) -> None:
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt
            client("sqs").delete_message(**arguments)

    sqs = Ending()
    with pytest.raises(KeyboardInterrupt):
        redrive.run(PLACE, lambda service: sqs if service == "sqs" else client(service), None, dry_run=False)
    assert (waiting(client, PLACE.queue), waiting(client, PLACE.dead_letters)) == (7, 19)
    (backend,) = [each[REGION] for each in sqs_backends.values() if REGION in each]
    dead = backend.queues[PLACE.dead_letters]
    for message in dead._messages:
        message.change_visibility(0)  # as time would
    dead.pending_messages.clear()  # moto would give what comes back out of its order
    assert redrive.run(PLACE, client, None, dry_run=False) == 0
    assert waiting(client, PLACE.dead_letters) == 0
    bodies = [read(message.body) for message in backend.queues[PLACE.queue]._messages]
    queued = [message.alert.id for message in bodies if isinstance(message, Delivery)]
    assert queued == [numbered(number).id for number in range(25)], "the seventh was not queued twice"


def test_what_is_no_failed_event_is_shown_and_stays(
    client: Client, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    durable_setup.run(PLACE, client, config, yes=True)
    url = client("sqs").get_queue_url(QueueName=PLACE.failed_events)["QueueUrl"]
    client("sqs").send_message(QueueUrl=url, MessageBody="{}")
    capsys.readouterr()
    assert redrive.run(PLACE, client, None, dry_run=False) == 1
    assert "a message that is no failed event" in capsys.readouterr().out
    assert waiting(client, PLACE.failed_events) == 1


def test_events_that_the_alert_function_failed_on_are_given_to_it_again(client: Client, config: Path) -> None:
    ready(client, config)
    url = client("sqs").get_queue_url(QueueName=PLACE.failed_events)["QueueUrl"]
    arn = client("lambda").get_function_configuration(FunctionName=PLACE.function("alert_on_change"))["FunctionArn"]
    document = {
        "requestContext": {"functionArn": arn, "condition": "RetriesExhausted"},
        "requestPayload": {"detail": {}},
        "responsePayload": {"errorMessage": "NotDelivered: the queue is gone"},
    }
    client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(document))
    invoked: list[dict[str, Any]] = []

    class Lambda:
        def invoke(self, **arguments: Any) -> None:
            invoked.append(arguments)

    def watched(service: str) -> Any:
        return Lambda() if service == "lambda" else client(service)

    assert redrive.run(PLACE, watched, None, dry_run=False) == 0
    assert invoked == [{"FunctionName": arn, "InvocationType": "Event", "Payload": b'{"detail": {}}'}]
    assert waiting(client, PLACE.failed_events) == 0


def test_an_event_of_a_function_that_is_gone_stays_and_holds_up_no_other(client: Client, config: Path) -> None:
    ready(client, config)
    url = client("sqs").get_queue_url(QueueName=PLACE.failed_events)["QueueUrl"]
    there = client("lambda").get_function_configuration(FunctionName=PLACE.function("alert_on_change"))["FunctionArn"]
    for arn in (there.replace("alert_on_change", "alert_on_mischief"), there):
        document = {"requestContext": {"functionArn": arn}, "requestPayload": {"detail": {}}}
        client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(document))
    invoked: list[str] = []

    class Lambda:
        def invoke(self, **arguments: Any) -> None:
            client("lambda").get_function_configuration(FunctionName=arguments["FunctionName"])
            invoked.append(arguments["FunctionName"])

    def watched(service: str) -> Any:
        return Lambda() if service == "lambda" else client(service)

    assert redrive.run(PLACE, watched, None, dry_run=False) == 1
    assert invoked == [there]
    assert waiting(client, PLACE.failed_events) == 1


def test_redrive_ends_where_what_it_sends_comes_straight_back(client: Client, config: Path) -> None:
    durable_setup.run(PLACE, client, config, yes=True)
    bury(client, "slack", 1)

    class Refusing:
        """SQS with a deliver function that buries at once what is sent."""

        sent = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(client("sqs"), name)

        def send_message(self, **arguments: Any) -> None:
            self.sent += 1
            assert self.sent < 10, "it goes round and round"
            client("sqs").send_message(**arguments)
            body = arguments["MessageBody"]
            Queue(lambda: client("sqs"), PLACE.queue).send_to_dlq(
                DeadLetter(
                    body, "it answered HTTP 404", "slack", "d1", f"again-{self.sent}", arguments["MessageGroupId"]
                )
            )

    sqs = Refusing()
    assert redrive.run(PLACE, lambda service: sqs if service == "sqs" else client(service), None, dry_run=False) == 1
    assert sqs.sent == 1
    assert waiting(client, PLACE.dead_letters) == 1


def test_silences_are_added_listed_and_removed(client: Client, config: Path) -> None:
    durable_setup.run(PLACE, client, config, yes=True)
    runner = CliRunner()

    def sgwatch(*arguments: str) -> Any:
        return runner.invoke(silence, [*arguments, "--stage", "dev"])

    made = sgwatch("add", "--when", "security_group.name == 'web'", "--for", "2h", "--reason", "load test")
    assert made.exit_code == 0, made.output
    (listed,) = [json.loads(line) for line in sgwatch("list", "--json").stdout.splitlines()]
    assert listed["id"] == made.stdout.strip()
    assert (listed["reason"], listed["critical_too"], listed["held_back"]) == ("load test", False, 0)
    assert listed["author"].startswith("arn:aws:")
    assert sgwatch("list", "--suppressed", listed["id"]).exit_code == 0
    assert sgwatch("list", "--suppressed", "nobody").exit_code == 1
    assert sgwatch("remove", listed["id"]).exit_code == 0
    ended = sgwatch("list")
    assert (ended.stdout, ended.stderr) == ("", "No silence is in force.\n")
    assert "ended" in sgwatch("list", "--all").stdout
    assert sgwatch("remove", "nobody").exit_code == 1


def test_expected_automation_has_an_owner_and_an_end_and_covers_its_own_role_alone(
    client: Client, config: Path
) -> None:
    durable_setup.run(PLACE, client, config, yes=True)
    runner, until = CliRunner(), (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    options = ["--owner", "team-platform", "--until", until, "--reason", "pipeline", "--stage", "dev"]
    made = runner.invoke(silence, ["add", "--automation", "role/ci/terraform-ci", *options])
    assert made.exit_code == 0, made.output
    (listed,) = [
        json.loads(line) for line in runner.invoke(silence, ["list", "--json", "--stage", "dev"]).stdout.splitlines()
    ]
    assert listed["when"] == "principal.account_id == '123456789012' && principal.role == 'terraform-ci'"
    assert (listed["owner"], listed["critical_too"]) == ("team-platform", False)
    assert listed["until"] > until, "a day is over when it ends"
    assert "owner team-platform: pipeline" in runner.invoke(silence, ["list", "--stage", "dev"]).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--for", "2h", "--reason", "r"], "--when or --automation"),
        (["--when", "severity", "--reason", "r"], "--for or --until"),
        (["--when", "severity", "--for", "2h", "--until", "2027-01-31", "--reason", "r"], "--for or --until"),
        (["--when", "severity", "--until", "tomorrow", "--reason", "r"], "neither a day such as"),
        (["--when", "severity", "--until", "2020-01-31", "--reason", "r"], "is over"),
        (["--when", "severity", "--until", "2099-01-31", "--reason", "r"], "90 days at most"),
        (["--automation", "role/x", "--for", "2h", "--reason", "r"], "--owner"),
        (["--automation", "role/x", "--for", "2h", "--reason", "r", "--owner", "o", "--critical-too"], "never covers"),
        (["--when", "severity ==", "--for", "2h", "--reason", "r"], "not a JMESPath expression"),
        (["--when", "severity", "--for", "2 hours", "--reason", "r"], "is not a time such as 30m"),
        (["--when", "severity", "--for", "91d", "--reason", "r"], "90 days at most"),
        (["--when", "severity", "--for", "2h", "--reason", " "], "say why"),
    ],
)
def test_a_silence_with_a_wrong_option_is_refused(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(silence, ["add", *arguments])
    assert done.exit_code == 2
    assert said in done.output


def test_the_package_template_wires_the_functions_to_the_same_resources() -> None:
    document = json.loads(package_template())
    assert document["Resources"]["Deliver"]["DependsOn"] == ["DeliverLogGroup", "Deliveries"]
    assert document["Resources"]["Deliveries"]["Type"] == "AWS::SQS::Queue"
    source = document["Resources"]["Deliver"]["Properties"]["Events"]["DeliverSqsEventSource"]
    assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
