"""``sgwatch fleet status`` as one page that needs nothing else: a matrix of accounts and regions, and what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.alarm_path.verdicts import Status
from chalicelib.text import number_of
from sgwatch.audit_html import badge, escaped, labelled, table, whole
from sgwatch.audit_text import MARKS
from sgwatch.fleet_status import NOT_LISTED, FleetRow, status_of_rows
from sgwatch.version import VERSION

_STYLE = """
.wide { position: relative; overflow-x: auto; margin: .6rem 0; }
.matrix td { text-align: center; } .matrix .mark { color: var(--tone); font-weight: 700; }
.matrix td.whole { text-align: left; color: var(--tone); } .rows td:nth-child(n+4) { white-space: nowrap; }
.matrix thead th { writing-mode: vertical-rl; transform: rotate(180deg); padding: .4rem .1rem; white-space: nowrap; }
.matrix thead th:first-child { writing-mode: initial; transform: none; vertical-align: bottom; text-align: left; }
.matrix th[scope=row] { white-space: nowrap; text-align: left; position: sticky; left: 0; background: var(--ground); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
"""
_HEADLINES = {
    Status.PASS: "Every region of every account that was asked forwards its events.",
    Status.FAIL: "Events of some regions do not arrive.",
    Status.UNKNOWN: "Whether every region forwards its events is not known.",
}


@dataclass(frozen=True, slots=True)
class FleetPage:
    """What the page is about: the stage and where it is, when it was asked, and the accounts' names where known."""

    stage: str
    region: str
    asked_at: datetime
    names: Mapping[str, str]


def page(about: FleetPage, rows: Sequence[FleetRow]) -> str:
    """The page."""
    stamp = f"{about.asked_at:%Y-%m-%d %H:%M:%S} UTC"
    of = f"stage {escaped(about.stage)} in {escaped(about.region)}"
    status = status_of_rows(rows)
    bad = [row for row in rows if row.status is not Status.PASS]
    body = [
        f'<header><p class="soft">Forwarders to {of}, as of {stamp}, by sgwatch {escaped(VERSION)}</p>',
        f'<h1 class="{status.value}">{MARKS[status]} {_HEADLINES[status]}</h1>{_counts(rows)}</header>',
        "<main>",
        "<h2>Accounts and regions</h2>",
        f'<div class="wide" tabindex="0" role="region" aria-label="Accounts and regions">{_matrix(about, rows)}</div>',
        f"<h2>What is wrong ({len(bad)})</h2>{_faults(about, bad)}" if bad else "",
        f'<details class="account"><summary><h2>Every region ({len(rows)})</h2></summary>{_all(about, rows)}</details>',
        "</main>",
    ]
    return whole(f"Forwarders to {of}, {stamp}", body, style=_STYLE)


def _counts(rows: Sequence[FleetRow]) -> str:
    counted = Counter(row.status for row in rows)
    order = (Status.FAIL, Status.UNKNOWN, Status.PASS)
    items = (f"<li>{badge(status)} {number_of(counted[status], 'region')}</li>" for status in order)
    return f'<ul class="counts">{"".join(items)}</ul>'


def _matrix(about: FleetPage, rows: Sequence[FleetRow]) -> str:
    regions = sorted({row.region for row in rows if row.region != NOT_LISTED})
    accounts: dict[str, dict[str, FleetRow]] = {}
    for row in rows:
        accounts.setdefault(row.account_id, {})[row.region] = row
    lines = (
        f'<tr><th scope="row">{_account(about, account)}</th>{_cells(found, regions)}</tr>'
        for account, found in accounts.items()
    )
    return table("matrix", ("Account", *map(escaped, regions)), lines)


def _cells(found: Mapping[str, FleetRow], regions: Sequence[str]) -> str:
    unlisted = found.get(NOT_LISTED)
    if unlisted is None:
        return "".join(_cell(found.get(region)) for region in regions)
    said = escaped("; ".join(unlisted.unread) or state_of(unlisted))
    return f'<td class="{unlisted.status.value} whole" colspan="{len(regions)}">{MARKS[unlisted.status]} {said}</td>'


def _cell(row: FleetRow | None) -> str:
    if row is None:
        return '<td class="none" title="not opted in">·</td>'
    said = f"{row.region}: {state_of(row)}"
    return (
        f'<td class="{row.status.value}" title="{escaped(said)}"><span class="mark" aria-hidden="true">'
        f"{'⌂' if row.verdict is None and row.status is Status.PASS else MARKS[row.status]}</span>"
        f'<span class="unseen">{escaped(state_of(row))}</span></td>'
    )


def _faults(about: FleetPage, rows: Sequence[FleetRow]) -> str:
    lines = (
        f'<tr><th scope="row">{_account(about, row.account_id)}</th><td>{escaped(row.region)}</td>'
        f"<td>{badge(row.status)}</td><td>{escaped('; '.join(row.reasons))}</td></tr>"
        for row in rows
    )
    return table("faults stacked", ("Account", "Region", "Answer", "Reason"), lines)


def _all(about: FleetPage, rows: Sequence[FleetRow]) -> str:
    lines = (
        f'<tr><th scope="row">{_account(about, row.account_id)}</th><td>{escaped(row.region)}</td>'
        f"<td>{escaped(state_of(row))}</td><td>{_stated('dead letters', row.dead_letters)}</td>"
        f"<td>{_stated('last event', _time(row.last_event_at))}</td>"
        f"<td>{_stated('security groups', row.security_groups)}</td></tr>"
        for row in rows
    )
    heads = ("Account", "Region", "Forwarder", "Dead letters", "Last event", "Security groups")
    return table("rows stacked", heads, lines)


def _stated(what: str, value: object) -> str:
    return labelled(what, "-" if value is None else escaped(str(value)))


def _time(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else None


def _account(about: FleetPage, account_id: str) -> str:
    name = about.names.get(account_id)
    return escaped(f"{name} ({account_id})" if name else account_id)


def state_of(row: FleetRow) -> str:
    """The forwarder's state in a word or two."""
    return "home" if row.verdict is None else row.verdict.state.value
