"""The frameworks that ask for an alarm on security group changes, the controls in them, and what is shown for each.

The controls are those of public mappings (AWS Security Hub's, Prowler's) or of a framework's own numbering. The table
in docs/compliance.md and the audit's reports follow from these rows.
"""

from __future__ import annotations

from typing import NamedTuple

from chalicelib.alarm_path.standards import Standard


class Framework(NamedTuple):
    """``standard`` is whose answer the framework's own is, None where the audit's report is one piece of evidence."""

    name: str
    controls: tuple[str, ...]
    evidence: str
    standard: Standard | None = None

    @property
    def words(self) -> str:
        """The framework with its controls, as in ``CIS AWS Foundations 5.0: 4.10``."""
        return f"{self.name}: {', '.join(self.controls)}"


_AUDIT, _BOTH = "the audit report", "the audit report, the change report"

FRAMEWORKS = (
    Framework("CIS AWS Foundations 1.2", ("3.10",), "", Standard.CIS_1_TO_4),
    Framework("CIS AWS Foundations 1.3, 1.4, 1.5, 2.0, 3.0, 4.0.1", ("4.10",), "", Standard.CIS_1_TO_4),
    Framework("CIS AWS Foundations 5.0", ("4.10",), "", Standard.CIS_5),
    Framework("CIS AWS Foundations 6.0, 7.0", ("5.10",), "", Standard.CIS_5),
    Framework("AWS Security Hub", ("CloudWatch.10",), "", Standard.SECURITY_HUB),
    Framework(
        "SOC 2",
        ("CC5.2", "CC7.2"),
        "the audit report, and `replay` of the period's records: which changes were made and alerted",
    ),
    Framework("ISO 27001:2022", ("A.8.15", "A.8.16"), _BOTH),
    Framework("ISO 27001:2013", ("A.12.4",), _BOTH),
    Framework("NIST CSF 2.0", ("DE.AE", "DE.CM"), _AUDIT),
    Framework("NIST CSF 1.1", ("DE.CM",), _AUDIT),
    Framework("NIST 800-53", ("AU-6", "CM-3", "CM-6", "SI-4"), _BOTH),
    Framework("PCI DSS 4.0", ("1.2.2", "10.2", "10.4.1"), "the change report of the period; alerts reviewed daily"),
    Framework("HIPAA", ("164.308(a)(1)(ii)(D)", "164.312(b)"), _BOTH),
    Framework("HITRUST", ("09.aa", "09.ab"), _BOTH),
    Framework("APRA CPS 234", ("21", "23"), _BOTH),
    Framework("MAS TRM", ("12.2",), _BOTH),
    Framework("NIS2 implementing regulation", ("3.2.3",), _BOTH),
)


def frameworks_of(standard: Standard) -> tuple[Framework, ...]:
    """The frameworks whose own answer this standard's is."""
    return tuple(item for item in FRAMEWORKS if item.standard is standard)
