"""What the company of the simulated quarter declares: every kind of alert, and playbooks of every shape."""

from __future__ import annotations

SETTINGS = """\
project: quarter
timezone: Europe/Berlin
{store}serve: {{address: "https://health.acme.example"}}
accounts:
  table: data/accounts.csv
  key: account_id
  columns: {{name: name, owner: owner, territory: territory, segment: segment, arr: arr, seats: seats,
            started_on: started, renews_on: renews}}
  history: {{territory: fixed, owner: fixed, arr: fixed, segment: fixed, seats: current}}
stages:
  - {{stage: onboarding, when: tenure < 30}}
  - {{stage: mature}}
facts:
  notices: {{table: data/notices.csv, account: account_id, occurred_at: day, known_at: loaded,
            columns: {{kind: kind}}}}
  touches: {{table: data/touches.csv, account: account_id, occurred_at: day, known_at: loaded}}
  tickets: {{table: data/tickets.csv, account: account_id, occurred_at: day, known_at: loaded,
            columns: {{category: category}}}}
{destinations}{alerts}"""

#: Nobody computes it here: rules only ask whether there is such a component.
SCORECARD = """\
scorecard: standard
components:
  adoption:
    measures:
      touched: {curve: [[0, 0], [10, 100]]}
"""

DESTINATIONS = """\
destinations:
  crm: {webhook: {url: "https://crm.acme.example/hooks", secret: {env: CRM_SECRET}}}
  board: {webhook: {url: "https://board.acme.example/hooks", secret: {env: CRM_SECRET}}}
"""

ALERTS = """\
alerts:
  turned_red: {band: at_risk, hold: 2d, severity: high, do: Call the sponsor., to: [crm, board]}
  fell: {drop: 15, within: 14d, rest: 7d}
  adoption_falls: {component: adoption, by: 20, within: 7d, rest: 0d}
  cancels: {event: notices, where: "kind = cancel", severity: high}
  renews_low: {renewal_within: 60d, below: 55}
  blind: {coverage_below: 0.5, hold: 3d, severity: low}
  silent: {no_touch: 21d, touches: [touches], applies_to: segment = enterprise, rest: 30d}
  odd: {anomaly: week, rest: 5d}
  slow: {anomaly: decline}
  grows: {expansion: "seats > 80 and segment in (mid, enterprise)", severity: low}
  feed: {feed_stopped: true, severity: high, rest: 3d}
  tickets_alike: {shared_issue: {source: tickets, by: category, within: 7d}, rest: 14d}
  red_rising: {share_rising: {band: at_risk, by: segment, within: 14d, at_least: 10}}
alerting: {to: [crm], portfolio_to: [board], per_account: 2, per_person: 3, storm: 0.1}
"""

PLAYBOOKS = """\
playbook: rescue
label: Rescue
when: {alert: turned_red}
until: band = healthy
once_per: 30d
group: save
hold_out: 0.3
steps:
  - {id: call, task: "Call {name}", owner: [leader, owner], due: 1, checklist: [Ask what changed]}
  - {id: tell, message: "{name} is at {score}: {reason}", subject: "{playbook} of {name}", to: [crm, board]}
  - {id: pause, wait: 7d}
  - {id: review, task: "Review {name}", due: 5}
  - {id: plan, task: "Plan for {name}", after: [call], due: 3, owner: [owner, boss@acme.example]}
---
playbook: adopt
when: {component: adoption, by: 20, within: 7d}
applies_to: segment in (mid, enterprise)
once_per: 14d
group: save
steps:
  - {id: show, task: "Show {name} one use", among: save, balance: round_robin, due: 3}
---
playbook: keep
when: {event: notices, where: "kind = cancel"}
steps:
  - {id: ask, task: "Ask {name} why", among: save, balance: fewest_tasks, due: 0}
  - {id: offer, task: "Offer {name} a way", among: [sam@acme.example, zoe@acme.example],
     balance: least_revenue, due: 2}
---
playbook: welcome
when: {stage: onboarding}
hold_out: 0.5
steps:
  - {wait: 3d}
  - {message: "Welcome {name}", to: [crm]}
---
playbook: praise
when: {holds: score > 85, hold: 5d}
until: score < 70
once_per: 60d
steps:
  - {id: thank, task: "Thank {name}", due: 10}
---
playbook: mend
when: {drop: 25, within: 14d}
until: band = healthy
steps:
  - {id: wait, wait: 2d}
  - {id: look, task: "Look at {name}", due: 2}
---
playbook: red
when: {band: at_risk}
applies_to: segment = enterprise
once_per: 7d
steps:
  - {id: meet, task: "Meet {name}", owner: [leader], due: 4}
"""


def project_files(
    *,
    store: str = "",
    destinations: str = DESTINATIONS,
    alerts: str = ALERTS,
    playbooks: str = PLAYBOOKS,
) -> dict[str, str]:
    """The files of the project: {name: text}. `store` is the URL of one elsewhere."""
    where = f"store: {store}\n" if store else ""
    files = {"retinue.yaml": SETTINGS.format(store=where, destinations=destinations, alerts=alerts)}
    files["metrics.yaml"] = "metrics: {touched: {active: touches, window: 28d}}\n"
    files["scorecards.yaml"] = SCORECARD
    return {**files, "playbooks.yaml": playbooks} if playbooks else files
