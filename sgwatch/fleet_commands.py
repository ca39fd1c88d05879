"""The AWS CLI's commands that bring a stage the events of other accounts, in the order in which they work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import join

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-delegated-admin.html
STACK_SETS_SERVICE = "member.org.stacksets.cloudformation.amazonaws.com"


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """Where a stage is and whose events it is to get; without ``organizational_units``, of ``accounts``."""

    stage: str
    account_id: str
    home: str
    regions: tuple[str, ...]
    external_id: str
    partition: str = "aws"
    organization_id: str | None = None
    organizational_units: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    delegated: bool = False
    operator_role: str = ""

    @property
    def bus_arn(self) -> str:
        """The bus of infra/central-bus.yaml."""
        return f"arn:{self.partition}:events:{self.home}:{self.account_id}:event-bus/sgwatch-{self.stage}-fleet"


def steps(plan: FleetPlan) -> Iterator[tuple[str, list[str]]]:
    """Each step: what it does, and its commands."""
    for name in ("central-bus", "forwarder", "member-read"):
        yield f"Write the template {name}.", [f"sgwatch fleet template {name} --stage {plan.stage} > {_file(name)}"]
    if plan.organizational_units:
        yield (
            "Once, with credentials of the management account: let StackSets work in the organization's accounts.",
            [join(["aws", "cloudformation", "activate-organizations-access", "--region", plan.home])],
        )
    if plan.delegated:
        register = ["aws", "organizations", "register-delegated-administrator", "--region", plan.home]
        register += ["--service-principal", STACK_SETS_SERVICE, "--account-id", plan.account_id]
        yield (
            "Once, with credentials of the management account: let the stage's account administer StackSets.",
            [join(register)],
        )
    yield "Make the bus that the accounts send to, in the stage's account and region.", [join(_bus(plan))]
    # Four alarms in each region of each account would be most of what a fleet costs (docs/fleet.md).
    forwarder = {"Stage": plan.stage, "BusArn": plan.bus_arn, "RuleAlarms": "false"}
    yield "Forward the events of every account and region.", _stack_set(plan, "forwarder", forwarder, plan.regions)
    read = {"Stage": plan.stage, "CentralAccountId": plan.account_id, "ExternalId": plan.external_id}
    read |= {"OrganizationId": plan.organization_id} if plan.organization_id else {}
    read |= {"OperatorRole": plan.operator_role} if plan.operator_role else {}
    what = "Let the stage look up what changed there. Roles are global: one region is enough."
    yield what, _stack_set(plan, "member-read", read, plan.regions[:1])


def _file(name: str) -> str:
    return f"sgwatch-{name}.yaml"


def _parameters(values: dict[str, str]) -> list[str]:
    # A comma would part two values of the CLI's shorthand; a list's are escaped.
    texts = [f"ParameterKey={key},ParameterValue={value.replace(',', chr(92) + ',')}" for key, value in values.items()]
    return ["--parameters", *texts]


def _bus(plan: FleetPlan) -> list[str]:
    values = {"Stage": plan.stage}
    values |= {"OrganizationId": plan.organization_id} if plan.organization_id else {}
    values |= {"AccountIds": ",".join(plan.accounts)} if plan.accounts else {}
    words = [
        "aws",
        "cloudformation",
        "create-stack",
        "--region",
        plan.home,
        "--stack-name",
        f"sgwatch-{plan.stage}-fleet",
    ]
    return [*words, "--template-body", f"file://{_file('central-bus')}", *_parameters(values)]


def _stack_set(plan: FleetPlan, name: str, values: dict[str, str], regions: Sequence[str]) -> list[str]:
    stack_set = ["--stack-set-name", f"sgwatch-{plan.stage}-{name}"]
    here = ["--region", plan.home, *(["--call-as", "DELEGATED_ADMIN"] if plan.delegated else [])]
    made = ["aws", "cloudformation", "create-stack-set", *here, *stack_set, "--template-body", f"file://{_file(name)}"]
    made += [*_parameters(values), "--capabilities", "CAPABILITY_NAMED_IAM", "--managed-execution", "Active=true"]
    instances = ["aws", "cloudformation", "create-stack-instances", *here, *stack_set]
    if plan.organizational_units:
        # New accounts get it by themselves. The stage's own account has forwarders of its own (fleet deploy).
        made += ["--permission-model", "SERVICE_MANAGED"]
        made += ["--auto-deployment", "Enabled=true,RetainStacksOnAccountRemoval=false"]
        units = ",".join(plan.organizational_units)
        targets = f"OrganizationalUnitIds={units},Accounts={plan.account_id},AccountFilterType=DIFFERENCE"
        instances += ["--deployment-targets", targets]
    else:
        made += ["--permission-model", "SELF_MANAGED"]
        instances += ["--accounts", *plan.accounts]
    preferences = "RegionConcurrencyType=PARALLEL,MaxConcurrentPercentage=100,FailureTolerancePercentage=10"
    instances += ["--regions", *regions, "--operation-preferences", preferences]
    return [join(made), join(instances)]
