"""Groups of resources changed with the real AWS CLI, and put back by what the alert says in a shell."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.alert.model import Alert
from chalicelib.aws.read_calls import AwsReader
from chalicelib.enrichment.enrich import Enricher
from chalicelib.enrichment.group_snapshot_store import Snapshots
from chalicelib.enrichment.lookups import Lookups
from localcloud import LocalCloud
from sgwatch.undoing import CannotUndo, check_unchanged, live_difference
from tests.support.memory_table import MemoryTable
from tests.support.shell_aws import AwsShell
from tests.support.unknowns import sentences

Groups = list[str]


@pytest.fixture(scope="module")
def shell(cloud: LocalCloud) -> Iterator[AwsShell]:
    running = AwsShell(cloud.environment())
    yield running
    running.close()


@dataclass
class Place:
    """A VPC with three groups, and clients of the services whose resources are put into them."""

    cloud: LocalCloud
    subnets: list[str]
    vpc: str
    groups: Groups

    def client(self, service: str) -> Any:
        return self.cloud.client(service)


@pytest.fixture(scope="module")
def place(cloud: LocalCloud) -> Place:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.7.{number}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for number, zone in enumerate(zones[:2])
    ]
    groups = [
        ec2.create_security_group(GroupName=f"g{number}", Description="d", VpcId=vpc)["GroupId"] for number in range(3)
    ]
    return Place(cloud, subnets, vpc, groups)


@dataclass
class Resource:
    """A resource in groups: how it is made, how its groups are set and how they are read."""

    make: Callable[[Place, Groups], str]
    change: Callable[[str, Groups, Groups], tuple[str, str, dict[str, Any]]]
    read: Callable[[Place, str], Groups]


def made_interface(place: Place, groups: Groups) -> str:
    made = place.client("ec2").create_network_interface(SubnetId=place.subnets[0], Groups=groups)
    return str(made["NetworkInterface"]["NetworkInterfaceId"])


def interface_groups(place: Place, interface: str) -> Groups:
    (found,) = place.client("ec2").describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"]
    return [group["GroupId"] for group in found["Groups"]]


def made_instance(place: Place, groups: Groups) -> str:
    ec2 = place.client("ec2")
    started = ec2.run_instances(
        ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1, SubnetId=place.subnets[0], SecurityGroupIds=groups
    )
    return str(started["Instances"][0]["InstanceId"])


def instance_groups(place: Place, instance: str) -> Groups:
    (reservation,) = place.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"]
    return [group["GroupId"] for group in reservation["Instances"][0]["SecurityGroups"]]


def made_load_balancer(place: Place, groups: Groups) -> str:
    made = place.client("elbv2").create_load_balancer(
        Name=f"lb-{uuid.uuid4().hex[:8]}", Subnets=place.subnets, SecurityGroups=groups
    )
    return str(made["LoadBalancers"][0]["LoadBalancerArn"])


def load_balancer_groups(place: Place, arn: str) -> Groups:
    (found,) = place.client("elbv2").describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    return list(found["SecurityGroups"])


def made_endpoint(place: Place, groups: Groups) -> str:
    made = place.client("ec2").create_vpc_endpoint(
        VpcId=place.vpc,
        VpcEndpointType="Interface",
        ServiceName=f"com.amazonaws.{place.cloud.region}.ec2",
        SubnetIds=place.subnets[:1],
        SecurityGroupIds=groups,
    )
    return str(made["VpcEndpoint"]["VpcEndpointId"])


def endpoint_groups(place: Place, endpoint: str) -> Groups:
    (found,) = place.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"]
    return [group["GroupId"] for group in found["Groups"]]


def endpoint_change(endpoint: str, now: Groups, wanted: Groups) -> tuple[str, str, dict[str, Any]]:
    lists = {
        "AddSecurityGroupIds": [group for group in wanted if group not in now],
        "RemoveSecurityGroupIds": [group for group in now if group not in wanted],
    }
    return "ec2", "modify-vpc-endpoint", {"VpcEndpointId": endpoint, **{k: v for k, v in lists.items() if v}}


RESOURCES = {
    "network interface": Resource(
        made_interface,
        lambda key, _now, to: ("ec2", "modify-network-interface-attribute", {"NetworkInterfaceId": key, "Groups": to}),
        interface_groups,
    ),
    "instance": Resource(
        made_instance,
        lambda key, _now, to: ("ec2", "modify-instance-attribute", {"InstanceId": key, "Groups": to}),
        instance_groups,
    ),
    "load balancer": Resource(
        made_load_balancer,
        lambda key, _now, to: ("elbv2", "set-security-groups", {"LoadBalancerArn": key, "SecurityGroups": to}),
        load_balancer_groups,
    ),
    "VPC endpoint": Resource(made_endpoint, endpoint_change, endpoint_groups),
}


@dataclass
class Watched:
    """A resource whose changes are made with the AWS CLI and heard by the enricher."""

    place: Place
    shell: AwsShell
    kind: Resource
    enricher: Enricher
    key: str

    @property
    def groups(self) -> Groups:
        return sorted(self.kind.read(self.place, self.key))

    def change(self, to: Groups) -> Alert:
        service, name, parameters = self.kind.change(self.key, self.groups, to)
        ran = self.shell.aws(service, name, "--cli-input-json", json.dumps(parameters))
        assert ran.code == 0, ran.err
        assert self.groups == sorted(to)
        event_name = "".join(word.capitalize() for word in name.split("-"))
        record = next(each for each in reversed(self.place.cloud.records) if each["eventName"] == event_name)
        return self.enricher.alert_of(record)


@pytest.fixture(params=RESOURCES)
def watched(place: Place, shell: AwsShell, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Watched:
    for name, value in place.cloud.environment().items():
        monkeypatch.setenv(name, value)
    lookups = Lookups(AwsReader(timeout=10), account_names={place.cloud.account_id: "local"}, timeout=10)
    kind = RESOURCES[request.param]
    return Watched(place, shell, kind, Enricher(lookups, Snapshots(MemoryTable())), kind.make(place, place.groups[:1]))


def test_the_groups_are_back_after_the_undo(watched: Watched) -> None:
    one, two, three = watched.place.groups
    watched.change([one, two])
    alert = watched.change([three])
    assert alert.attachment is not None
    assert sorted(alert.attachment.groups_before or ()) == sorted([one, two])
    assert sorted(alert.attachment.groups_after or ()) == [three]
    assert alert.unknowns == ()
    assert alert.undo.commands is not None, alert.undo.reason
    ran = watched.shell.run(alert.undo.commands)
    assert ran.code == 0, ran.err
    assert watched.groups == sorted([one, two])


def test_a_first_change_says_what_it_does_not_know(watched: Watched) -> None:
    one, two, _ = watched.place.groups
    alert = watched.change([one, two])
    assert alert.attachment is not None
    if alert.attachment.groups_before is None:
        assert alert.undo.commands is None
        assert "before" in str(alert.undo.reason)
        assert any("before" in item for item in sentences(alert.unknowns))
    else:
        assert sorted(alert.attachment.groups_before) == [one]
        ran = watched.shell.run(alert.undo.commands or ())
        assert ran.code == 0, ran.err
        assert watched.groups == [one]


def test_it_is_undone_as_long_as_nothing_changed_again(watched: Watched) -> None:
    one, two, three = watched.place.groups
    watched.change([one, two])
    alert = watched.change([two])
    check_unchanged(alert, AwsReader(timeout=10))
    assert live_difference(alert)[0].startswith(f"~ {watched.key}: {two}  becomes  ")
    watched.change([three])
    with pytest.raises(CannotUndo, match=f"the groups of {watched.key} have changed again since") as refused:
        check_unchanged(alert, AwsReader(timeout=10))
    assert refused.value.live == (f"live: {three}", f"after the change: {two}")
