"""What CloudTrail's digest files prove of the log files, as the section of the report that an auditor reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chalicelib.alarm_path.verdicts import Status
from chalicelib.rendering.lines import utc
from sgwatch.log_integrity.integrity_report import CheckedChain, FileState, IntegrityReport
from sgwatch.replay_report.section_html import text

# As many as the other tables of the page show.
_ROWS = 200
_TONES = {Status.PASS: "low", Status.FAIL: "critical", Status.UNKNOWN: "medium"}


def integrity(report: IntegrityReport | None) -> Iterator[str]:
    """The section; a sentence where the digest files were not asked."""
    yield "<h3>CloudTrail's digest files</h3>"
    if report is None:
        yield (
            "<p>Not checked: this report says nothing about whether log files were changed or removed after CloudTrail "
            "wrote them. <code>sgwatch replay --verify-digests</code> checks that.</p>"
        )
        return
    tone = _TONES[report.status]
    yield f'<p><span class="badge {tone}">{report.status.value}</span> {text(report.summary())}</p>'
    yield (
        f'<p class="soft">Checked {utc(report.checked_at)}: the SHA-256 of each log file\'s content, the signature of '
        f"each digest file, and the link of each to the one before. Public keys: {text(report.keys.name)}"
        f"{text(_fingerprints(report))}.</p>"
    )
    yield from _chains(report.chains)
    faults = [f"{item.path}: {item.reason}" for item in report.digest_faults]
    yield from _list("Digest files in question", [*faults, *(f"Public keys {reason}" for reason in report.keys.faults)])
    yield from _list(
        "Log files that are not verified",
        [f"{item.state}: {item.path}: {item.reason}" for item in report.problems],
    )


def state_cell(state: FileState | None) -> str:
    """The cell of a file's state in the table of input files."""
    if state is None:
        return "<td>not checked</td>"
    return f"<td>{state}</td>" if state is FileState.VERIFIED else f'<td class="gap">{state}</td>'


def _fingerprints(report: IntegrityReport) -> str:
    return f", with the fingerprints {', '.join(report.keys.fingerprints)}" if report.keys.fingerprints else ""


def _chains(chains: Iterable[CheckedChain]) -> Iterator[str]:
    rows = "".join(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in _cells(chain))}</tr>" for chain in chains)
    if rows:
        names = ("Account", "Region", "Trail", "Bucket", "Digest files verified", "From", "To", "Without digest files")
        head = "".join(f'<th scope="col">{name}</th>' for name in names)
        table = f'<table class="chains"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        yield f'<div class="wide" tabindex="0">{table}</div>'


def _cells(item: CheckedChain) -> tuple[str, ...]:
    chain = item.chain
    gaps = "; ".join(f"{gap.since} to {gap.until}" for gap in item.gaps) or "no time"
    trail = f"{chain.trail} (backfill)" if chain.backfill else chain.trail
    return chain.account, chain.region, trail, chain.bucket, f"{item.digest_files:,}", item.since, item.until, gaps


def _list(title: str, items: list[str]) -> Iterator[str]:
    if not items:
        return
    left_out = f"<li>and {len(items) - _ROWS:,} more</li>" if len(items) > _ROWS else ""
    listed = "".join(f"<li>{text(item)}</li>" for item in items[:_ROWS])
    yield f"<h4>{title} ({len(items):,})</h4><ul>{listed}{left_out}</ul>"
