"""The controls that an exposure breaks, and the ports they are about.

AWS Security Hub: https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html
Beside EC2.2, EC2.53 and EC2.54 stand the recommendations of CIS AWS Foundations v5.0.0 that they check.
"""

from __future__ import annotations

from chalicelib.security_groups.rules import ALL_PROTOCOLS, WITH_PORTS

ADMINISTRATION_PORTS = {22: "SSH", 23: "Telnet", 3389: "RDP", 5985: "WinRM", 5986: "WinRM"}
WEB_PORTS = frozenset({80, 443})

# The ports of EC2.19, with the names it gives them.
HIGH_RISK_PORTS = {
    20: "FTP",
    21: "FTP",
    22: "SSH",
    23: "Telnet",
    25: "SMTP",
    110: "POP3",
    135: "RPC",
    143: "IMAP",
    445: "CIFS",
    1433: "MSSQL",
    1434: "MSSQL",
    3000: "Go, Node.js and Ruby web development",
    3306: "MySQL",
    3389: "RDP",
    4333: "ahsp",
    5000: "Python web development",
    5432: "PostgreSQL",
    5500: "fcp-addr-srvr1",
    5601: "OpenSearch Dashboards",
    8080: "proxy",
    8088: "legacy HTTP",
    8888: "alternative HTTP",
    9200: "OpenSearch",
    9300: "OpenSearch",
}

DEFAULT_GROUP = ("EC2.2", "CIS v5.0.0/5.5")
# EC2.53 and EC2.54 look at these two of the administration ports, over TCP, UDP or all traffic.
_CIS_PORTS = (22, 3389)
_CIS_CONTROLS = {4: ("EC2.53", "CIS v5.0.0/5.3"), 6: ("EC2.54", "CIS v5.0.0/5.4")}


def world_controls(protocol: str, ports: tuple[tuple[int, int], ...], version: int) -> tuple[str, ...]:
    """The controls broken by letting the whole of IPv4 (``version`` 4) or IPv6 (6) reach these ports."""
    everything = protocol == ALL_PROTOCOLS
    if not everything and protocol not in WITH_PORTS:
        return ()

    def holds(port: int) -> bool:
        return everything or any(low <= port <= high for low, high in ports)

    over_tcp = everything or protocol == "tcp"
    web_only = protocol == "tcp" and all(low == high and low in WEB_PORTS for low, high in ports)
    broken: list[str] = []
    if over_tcp and holds(22):
        broken.append("EC2.13")
    if over_tcp and holds(3389):
        broken.append("EC2.14")
    if not web_only:
        broken.append("EC2.18")
    if any(holds(port) for port in HIGH_RISK_PORTS):
        broken.append("EC2.19")
    if any(holds(port) for port in _CIS_PORTS):
        broken += _CIS_CONTROLS[version]
    return tuple(broken)
