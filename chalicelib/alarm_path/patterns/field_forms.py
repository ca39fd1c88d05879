"""What form the fields of a security group call have: the characters one may hold, and other values of its kind.

Only of fields that callers or requests may fill freely; those that are always the same (eventSource,
eventType …) or come from a closed list have none.
"""

from __future__ import annotations

import re

from chalicelib.alarm_path.patterns.syntax import AnyElement, Index, Name, Selector

# https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html, and other partitions' own.
REGIONS = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "us-gov-east-1", "us-gov-west-1", "us-iso-east-1"),
    *("us-iso-west-1", "us-isob-east-1", "us-isob-west-1", "us-isof-east-1", "us-isof-south-1", "ca-central-1"),
    *("ca-west-1", "mx-central-1", "sa-east-1", "sa-west-1", "eu-central-1", "eu-central-2", "eu-north-1"),
    *("eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "eu-isoe-west-1", "eusc-de-east-1"),
    *("il-central-1", "me-central-1", "me-south-1", "me-west-1", "af-south-1", "ap-east-1", "ap-east-2"),
    *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1"),
    *("ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7"),
    *("cn-north-1", "cn-northwest-1"),
)

# How the regions of each partition but the first begin. https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
_REGIONS_OF = {
    "aws-cn": "cn-",
    "aws-us-gov": "us-gov-",
    "aws-iso": "us-iso-",
    "aws-iso-b": "us-isob-",
    "aws-iso-e": "eu-isoe-",
    "aws-iso-f": "us-isof-",
    "aws-eusc": "eusc-",
}

# A value that no filter names, and an account.
_OTHER = "zq7"
_OTHER_ACCOUNT = "999988887777"

_NAME_CHARACTERS = r"[\w+=,.@-]*"
_ARN_CHARACTERS = r"[\w+=,.@:/-]*"
_FREE_TEXT = r"[ -)+-~]*"  # all that is printable but *, which the clauses that hold it inside never match
# SubscriptionVerdict of logs, which CIS's filter on unauthorized calls leaves out, calls S3, Logs and Firehose alone.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html
_SERVICE = r"(?!delivery\.logs)[A-Za-z0-9. -]*"
_DIGITS = r"\d*"
_ADDRESS = r"[0-9a-fA-F.:]*"

# By its whole path for the caller's fields.
_CALLER_FIELDS: dict[str, tuple[str, str]] = {
    "awsRegion": (r"[a-z0-9-]*", r"[a-z]{2,4}(-[a-z]+)+-\d+"),
    "recipientAccountId": (_DIGITS, r"\d{12}"),
    "userAgent": (_FREE_TEXT, ".+"),
    "sourceIPAddress": (_ADDRESS, r"\d+\.\d+\.\d+\.\d+|.*:.*"),
    "eventVersion": (r"[0-9.]*", r"\d\.\d+"),
    "eventTime": (r"[0-9TZ:-]*", r"[0-9-]+T[0-9:]+Z"),
    "eventID": (r"[0-9a-f-]*", r"[0-9a-f-]{36}"),
    "requestID": (r"[0-9a-f-]*", r"[0-9a-f-]{36}"),
    "vpcEndpointId": (r"[a-z0-9-]*", r"vpce-[0-9a-z]+"),
    "vpcEndpointAccountId": (_DIGITS, r"\d{12}"),
    "tlsDetails.clientProvidedHostHeader": (r"[a-z0-9.-]*", ".+"),
    "tlsDetails.cipherSuite": (r"[A-Z0-9_-]*", ".+"),
    "tlsDetails.tlsVersion": (r"[TLSv0-9.]*", r"TLSv1\.\d"),
    "userIdentity.arn": (_ARN_CHARACTERS, "arn:.+"),
    "userIdentity.principalId": (r"[\w+=,.@:-]*", ".+"),
    "userIdentity.userName": (_NAME_CHARACTERS, ".+"),
    "userIdentity.accountId": (_DIGITS, r"\d{12}"),
    "userIdentity.accessKeyId": (r"[A-Z0-9]*", "(AKIA|ASIA).*"),
    "userIdentity.invokedBy": (_SERVICE, r".+\.amazonaws\.com(\.cn)?|AWS Internal"),
    "userIdentity.credentialId": (_NAME_CHARACTERS, ".+"),
    "userIdentity.onBehalfOf.userId": (r"[0-9a-f-]*", ".+"),
    "userIdentity.onBehalfOf.identityStoreArn": (_ARN_CHARACTERS, "arn:.+"),
    "userIdentity.inScopeOf.sourceArn": (_ARN_CHARACTERS, "arn:.+"),
    "userIdentity.inScopeOf.sourceAccount": (_DIGITS, r"\d{12}"),
    "userIdentity.inScopeOf.credentialsIssuedTo": (_ARN_CHARACTERS, ".+"),
    "userIdentity.sessionContext.sourceIdentity": (_NAME_CHARACTERS, ".+"),
    "userIdentity.sessionContext.attributes.creationDate": (r"[0-9TZ:-]*", ".+"),
    "userIdentity.sessionContext.sessionIssuer.arn": (_ARN_CHARACTERS, "arn:.+"),
    "userIdentity.sessionContext.sessionIssuer.userName": (_NAME_CHARACTERS, ".+"),
    "userIdentity.sessionContext.sessionIssuer.principalId": (r"[\w:]*", ".+"),
    "userIdentity.sessionContext.sessionIssuer.accountId": (_DIGITS, r"\d{12}"),
    "userIdentity.sessionContext.webIdFederationData.federatedProvider": (_ARN_CHARACTERS, ".+"),
}

# The same by the last name, for what stands in requests and answers.
_REQUEST_FIELDS: dict[str, tuple[str, str]] = {
    "groupid": (r"[a-z0-9-]*", "sg-[0-9a-z]+"),
    "vpcid": (r"[a-z0-9-]*", "vpc-[0-9a-z]+"),
    "securitygroupruleid": (r"[a-z0-9-]*", "sgr-[0-9a-z]+"),
    "prefixlistid": (r"[a-z0-9-]*", "pl-[0-9a-z]+"),
    "groupname": (_FREE_TEXT, ".+"),
    "groupdescription": (_FREE_TEXT, ".+"),
    "description": (_FREE_TEXT, ".+"),
    # Tags may hold any letters. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html
    "key": (r"[^*]*", ".+"),
    "value": (r"[^*]*", ".*"),
    "cidrip": (r"[0-9./]*", r"\d+\.\d+\.\d+\.\d+/\d+"),
    "cidripv4": (r"[0-9./]*", r"\d+\.\d+\.\d+\.\d+/\d+"),
    "cidripv6": (r"[0-9a-fA-F.:/]*", r".*:.*/\d+"),
    "ipprotocol": (r"[a-z0-9-]*", r"tcp|udp|icmp|icmpv6|-1|\d{1,3}"),
    "userid": (_DIGITS, r"\d{12}"),
    "groupownerid": (_DIGITS, r"\d{12}"),
    "sourcesecuritygroupname": (_FREE_TEXT, ".+"),
    "sourcesecuritygroupownerid": (_DIGITS, r"\d{12}"),
    "referencedgroupid": (r"[a-z0-9-]*", "sg-[0-9a-z]+"),
    "vpcpeeringconnectionid": (r"[a-z0-9-]*", "pcx-[0-9a-z]+"),
    "fromport": (_DIGITS, ""),
    "toport": (_DIGITS, ""),
    "requestid": (r"[0-9a-f-]*", r"[0-9a-f-]{36}"),
}


def regions_of(partition: str) -> tuple[str, ...]:
    """The regions that a partition's records may name; none where the partition is not known."""
    if partition == "aws":
        return tuple(region for region in REGIONS if not region.startswith(tuple(_REGIONS_OF.values())))
    begins = _REGIONS_OF.get(partition)
    return tuple(region for region in REGIONS if begins and region.startswith(begins))


def is_request_field(selector: Selector) -> bool:
    """Whether the selector leads into the request or the answer."""
    first = selector.steps[0]
    return isinstance(first, Name) and first.name in ("requestParameters", "responseElements")


def shape_of(selector: Selector, *, is_service: bool) -> tuple[str, str] | None:
    """The characters that the field may hold and an exact form; None where a filter's literals cannot come in."""
    names = [step.name for step in selector.steps if isinstance(step, Name)]
    if is_request_field(selector):
        return _REQUEST_FIELDS.get(names[-1].lower())
    if any(isinstance(step, Index | AnyElement) for step in selector.steps):
        return None
    path = ".".join(names)
    if is_service and path in ("sourceIPAddress", "userAgent"):
        return _CALLER_FIELDS["userIdentity.invokedBy"]
    return _CALLER_FIELDS.get(path)


# Other values of fields whose form is AWS's, not the caller's.
_OTHERS: dict[str, tuple[str, ...]] = {
    "awsRegion": REGIONS,
    "eventVersion": ("1.08", "1.11"),
    "eventTime": ("2027-02-03T04:05:06Z",),
    "creationDate": ("2027-02-03T04:05:06Z",),
    "eventID": ("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",),
    "requestID": ("bbbbbbbb-cccc-dddd-eeee-aaaaaaaaaaaa",),
    "requestId": ("bbbbbbbb-cccc-dddd-eeee-aaaaaaaaaaaa",),
    "tlsVersion": ("TLSv1.2",),
    "cipherSuite": ("ECDHE-RSA-AES128-GCM-SHA256",),
    "ipProtocol": ("udp", "50"),
    "IpProtocol": ("udp", "50"),
    "userAgent": (_OTHER,),
    "clientProvidedHostHeader": ("ec2.eu-west-1.api.aws",),
}


def others_of(selector: Selector, sample: str) -> tuple[str, ...]:
    """Values of the sample's kind that share with it only what all of its kind do."""
    name = next((step.name for step in reversed(selector.steps) if isinstance(step, Name)), "")
    if sample.endswith("amazonaws.com") and name in ("userAgent", "sourceIPAddress", "invokedBy"):
        return ("autoscaling.amazonaws.com", "rds.amazonaws.com")
    if name in _OTHERS:
        return _OTHERS[name]
    if re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]+:[0-9a-fA-F:]*", sample.split("/", maxsplit=1)[0]) and not _account(sample):
        return (re.sub(r"^[^/]+", "192.0.2.77" if "." in sample else "2001:db8::77", sample),)
    if sample.startswith("arn:"):
        return (_other_arn(sample),)
    return (":".join(map(_other_word, sample.split(":"))),)


def _account(text: str) -> bool:
    return bool(re.fullmatch(r"\d{12}", text))


def _other_word(word: str) -> str:
    """An id keeps its kind: a group's stays one, as a role's does."""
    if _account(word):
        return _OTHER_ACCOUNT
    kind = re.match(r"(sg|sgr|vpc|vpce|pl|pcx|i)-|AKIA|ASIA|AROA|AIDA", word)
    if kind is None:
        return _OTHER
    return kind.group() + (_OTHER.upper() if kind.group().isupper() else _OTHER)


def _other_arn(arn: str) -> str:
    """Another of the same service and kind, in another account; root's has no name."""
    *before, resource = (_OTHER_ACCOUNT if _account(part) else part for part in arn.split(":", 5))
    kind, *names = resource.split("/")
    return ":".join((*before, "/".join((kind, *(_OTHER for _ in names)))))
