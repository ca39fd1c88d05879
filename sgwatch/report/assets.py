"""The style and the script of the report, and the policy that lets the browser run nothing else."""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1b1f24; --soft: #59636e; --line: #d5dae0; --raised: #f5f7f9;
  --critical: #a40e26; --high: #c2410c; --medium: #a16207; --low: #0e7490; --info: #57606a; --plus: #116329;
  --minus: #a40e26; --link: #0550ae; }
@media (prefers-color-scheme: dark) { :root { --ground: #14181d; --ink: #e6e9ed; --soft: #9aa5b1; --line: #333b45;
  --raised: #1d232a; --critical: #ff6b7d; --high: #ff9a5c; --medium: #e3b341; --low: #4cc9e0; --info: #9aa5b1;
  --plus: #56d364; --minus: #ff7b8a; --link: #79b8ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 75rem; padding: 1.25rem; background: var(--ground); color: var(--ink);
  font: 16px/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
h3 { font-size: .95rem; margin: 1rem 0 .25rem; }
p { margin: .25rem 0; } .soft { color: var(--soft); }
.critical { --tone: var(--critical); } .high { --tone: var(--high); } .medium { --tone: var(--medium); }
.low { --tone: var(--low); } .info { --tone: var(--info); }
.badge { display: inline-block; min-width: 6.4em; padding: .05rem .4rem; border: 1px solid var(--tone);
  color: var(--tone); border-radius: .25rem; font-size: .8rem; font-weight: 600; text-align: center;
  text-transform: uppercase; white-space: nowrap; }
.critical .badge, .badge.critical { background: var(--tone); color: var(--ground); }
.counts { display: flex; flex-wrap: wrap; gap: .5rem 1.25rem; margin: .75rem 0; padding: 0; list-style: none; }
svg { display: block; width: 100%; height: auto; } svg rect { fill: var(--tone); }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; } svg line { stroke: var(--line); }
.chart { overflow-x: auto; } .chart svg { min-width: 40rem; }
form { display: flex; flex-wrap: wrap; gap: .75rem; align-items: end; padding: .75rem; background: var(--raised);
  border: 1px solid var(--line); border-radius: .4rem; position: sticky; top: 0; z-index: 1; }
form[hidden] { display: none; }
label { display: grid; gap: .15rem; font-size: .85rem; color: var(--soft); flex: 1 1 9rem; min-width: 0; }
input, select, button { font: inherit; color: var(--ink); background: var(--ground); border: 1px solid var(--line);
  border-radius: .25rem; padding: .3rem .5rem; max-width: 100%; width: 100%; }
form button { flex: 0 0 auto; width: auto; }
output { flex: 1 1 100%; font-size: .85rem; color: var(--soft); }
.tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 0 2rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .3rem .5rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; white-space: nowrap; position: sticky; top: 0; background: var(--ground); }
.rows { max-height: 22rem; overflow-y: auto; }
td.number, th.number { text-align: right; } td.time { white-space: nowrap; }
td button { border: 0; padding: 0; background: none; color: var(--link); text-align: left; cursor: pointer; }
.alert { border: 1px solid var(--line); border-left: .3rem solid var(--tone); border-radius: .25rem; margin: .5rem 0; }
.alert > summary { padding: .5rem .75rem; cursor: pointer; display: grid; gap: .15rem .75rem;
  grid-template-columns: auto 1fr auto; align-items: baseline; }
.alert[open] > summary { border-bottom: 1px solid var(--line); background: var(--raised); }
.alert time { color: var(--soft); font-size: .85rem; white-space: nowrap; }
.alert .who { color: var(--soft); font-size: .85rem; grid-column: 2 / -1; }
.inside { padding: .25rem .75rem .75rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: .5rem 0; }
dt { font-weight: 600; } dd { margin: 0; } ul { margin: .25rem 0; padding-left: 1.25rem; }
pre { margin: .25rem 0; padding: .5rem; background: var(--raised); border: 1px solid var(--line); border-radius: .25rem;
  font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.added { color: var(--plus); } .removed { color: var(--minus); } .modified, .attempted { color: var(--medium); }
a { color: var(--link); }
@media (max-width: 40rem) { body { padding: .75rem; } .time { display: none; } form { position: static; }
  .alert > summary { grid-template-columns: auto 1fr; } .alert .title, .alert .who { grid-column: 1 / -1; }
  .alert time { order: -1; grid-column: 2; grid-row: 1; justify-self: end; } dl { grid-template-columns: 1fr; }
  dd { margin-bottom: .4rem; } }
@media print { form { display: none; } .rows { max-height: none; } }
"""

SCRIPT = """
const form = document.querySelector('form'), alerts = [...document.querySelectorAll('.alert')];
const ranks = ['info', 'low', 'medium', 'high', 'critical'];
function apply() {
  const { severity, principal, group, text } = form.elements, words = text.value.toLowerCase().split(/\\s+/);
  let shown = 0;
  for (const alert of alerts) {
    const of = alert.dataset, haystack = alert.textContent.toLowerCase();
    alert.hidden = ranks.indexOf(of.severity) < ranks.indexOf(severity.value)
      || (principal.value && of.principal !== principal.value) || (group.value && of.group !== group.value)
      || !words.every(word => haystack.includes(word));
    shown += !alert.hidden;
  }
  form.querySelector('output').value = `${shown} of ${alerts.length} alerts shown`;
}
form.hidden = false;
form.addEventListener('input', apply);
form.addEventListener('submit', event => event.preventDefault());
form.addEventListener('reset', () => setTimeout(apply));
for (const button of document.querySelectorAll('td button')) button.addEventListener('click', () => {
  form.reset();
  form.elements[button.dataset.filter].value = button.value;
  apply();
  document.getElementById('alerts').scrollIntoView();
});
apply();
"""


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


# Whatever a record could smuggle past the escaping would still not run.
POLICY = (
    f"default-src 'none'; style-src {_source(STYLE)}; script-src {_source(SCRIPT)}; base-uri 'none'; form-action 'none'"
)
