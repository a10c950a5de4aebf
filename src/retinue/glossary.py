"""The nouns of Retinue, one word each. The glossary of the documentation is made from here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """A noun, what it means in one or two sentences, and the nouns to read next."""

    word: str
    meaning: str
    see_also: tuple[str, ...] = ()


TERMS: tuple[Term, ...] = (
    Term(
        "account",
        "A customer: what is scored, one row per date. A workspace or a product of a customer "
        "is an account of its own with that customer as its parent.",
        ("book", "roll-up"),
    ),
    Term("actor", "Who did something: a person, an API key, or Retinue itself.", ("override", "pulse")),
    Term(
        "adjustment",
        "What caps and floors add to the base score: base + adjustment = computed.",
        ("base", "cap", "computed"),
    ),
    Term(
        "alert", "A message that something about an account deserves a look now.", ("transition", "playbook")
    ),
    Term(
        "as-of date",
        "The day that a number is about. It says what was known at the end of that day in the "
        "project's timezone; later rows never change it.",
        ("known", "occurred", "run"),
    ),
    Term(
        "assistant",
        "A program with a language model that reads scores as one person, by `retinue mcp`; where it is "
        "allowed it writes notes and completes tasks.",
        ("actor",),
    ),
    Term(
        "attribute",
        "A property of an account, such as its segment, owner or revenue. It is fixed, has a "
        "history, or is kept as a daily snapshot from the first run on.",
        ("account", "cohort"),
    ),
    Term(
        "AUC",
        "The chance that of two accounts, one with the outcome, that one had the lower score; 0.5 is chance.",
        (
            "outcome",
            "baseline",
            "validation",
        ),
    ),
    Term(
        "band",
        "The range a score falls in: healthy, watch or at_risk. Lower edges are inclusive.",
        ("score", "stability", "transition"),
    ),
    Term(
        "base", "The weighted mean of the points of all measures, before caps and floors.", ("contribution",)
    ),
    Term(
        "baseline",
        "What one would know without the score: tenure, days since the last activity, one metric.",
        (
            "AUC",
            "challenger",
        ),
    ),
    Term("book", "The accounts that an owner or a territory is responsible for.", ("account",)),
    Term(
        "bridge",
        "A date scored in both the old and the new way, because the scorecard, the stage or the "
        "cohort reference changed there.",
        ("driver", "fingerprint", "recalibrated"),
    ),
    Term(
        "calibration",
        "Whether chances come true: of accounts with a chance of a tenth, a tenth has the outcome.",
        (
            "validation",
            "drift",
        ),
    ),
    Term("cap", "A rule that keeps the score at or below a value while it holds.", ("floor", "adjustment")),
    Term("capture", "The share of lost accounts that were red when they were lost.", ("lead time",)),
    Term(
        "challenger",
        "Gradient boosting on the same information: what a score could reach. It is never published.",
        (
            "baseline",
            "AUC",
        ),
    ),
    Term(
        "cohort",
        "Accounts that are alike, for example of one segment and tenure. A cohort curve compares "
        "with the frozen history of the account's own cohort.",
        ("curve", "reference", "tenure"),
    ),
    Term(
        "component",
        "A weighted group of measures on a scorecard, such as adoption.",
        ("measure", "scorecard"),
    ),
    Term(
        "computed",
        "The score that the data say, after caps and floors and before stability and overrides.",
        ("base", "published", "effective"),
    ),
    Term(
        "contribution",
        "The points that a measure supplies to the base score: its normalised share times its "
        "points. Contributions add up to the base.",
        ("base", "driver"),
    ),
    Term(
        "coverage",
        "The part of the declared weight that has data behind it, from 0 to 1.",
        ("missing", "not applicable", "not scored"),
    ),
    Term("curve", "The rule that turns a metric's value into 0 to 100 points.", ("measure", "cohort")),
    Term(
        "destination",
        "Where messages go, by one channel: e-mail, Slack, Microsoft Teams, a webhook, Apprise.",
        ("alert", "playbook"),
    ),
    Term(
        "drift",
        "That the accounts, the rate of the outcome, or what a score is worth are no longer what they were.",
        (
            "PSI",
            "calibration",
        ),
    ),
    Term(
        "driver",
        "A part of the change of a score between two snapshots, in points. Drivers add up to the change.",
        ("contribution", "bridge"),
    ),
    Term(
        "effective",
        "The score after a person's override; the same as published where there is none.",
        ("override", "published"),
    ),
    Term(
        "enrolment",
        "An account in a playbook, from the day on which it came in; for one that is held out nothing is "
        "done, so that the playbook can be compared with nothing.",
        ("playbook", "intervention"),
    ),
    Term("fact", "A dated row about an account, read from a source.", ("source", "occurred", "known")),
    Term(
        "fingerprint",
        "A short code for everything that a scorecard's numbers depend on. The same fingerprint "
        "and the same facts give the same score.",
        ("scorecard", "bridge"),
    ),
    Term(
        "flap",
        "A band that is left and taken up again within 14 days.",
        (
            "band",
            "stability",
        ),
    ),
    Term("floor", "A rule that keeps the score at or above a value while it holds.", ("cap", "adjustment")),
    Term("formula", "A scorecard together with the metrics and stages that it uses.", ("fingerprint",)),
    Term(
        "held",
        "A score that keeps its published value because a source has stopped; caps still act.",
        ("stale", "watermark"),
    ),
    Term("horizon", "The days within which an outcome is to be foreseen.", ("outcome",)),
    Term(
        "intervention",
        "Something that was or is done for an account, with its kind, days, owner and reason: by a playbook, "
        "or recorded by hand. It enters no score; its effect can be measured.",
        ("playbook", "outcome"),
    ),
    Term(
        "known",
        "The day on which a row was first available. It may be later than the day it occurred.",
        ("occurred",),
    ),
    Term(
        "lead time",
        "How long the last red spell of a lost account had lasted; told beside that of accounts that stayed.",
        (
            "capture",
            "horizon",
        ),
    ),
    Term(
        "leading indicator",
        "Something early in the life of accounts that is associated with their outcome.",
        ("outcome",),
    ),
    Term(
        "lift",
        "The outcome rate of a band over that of all accounts.",
        (
            "band",
            "outcome",
        ),
    ),
    Term(
        "measure",
        "A metric placed on a scorecard: with a curve, a weight and a limit on its age.",
        ("metric", "curve", "component"),
    ),
    Term(
        "metric",
        "A number per account and date, with a unit, a direction, and a meaning for zero and missing.",
        ("measure", "fact"),
    ),
    Term(
        "missing",
        "There is no value, though there could be one. It lowers coverage.",
        ("not applicable", "coverage"),
    ),
    Term(
        "not applicable",
        "The question does not arise for the account, such as x/0. It does not lower coverage.",
        ("missing", "coverage"),
    ),
    Term(
        "not scored",
        "The state of an account with too little coverage. It is not a low score.",
        ("coverage",),
    ),
    Term(
        "mute",
        "What keeps alerts of an account, of a rule or of both from being raised, until a day, for a reason.",
        ("alert",),
    ),
    Term("occurred", "The day on which a row happened, in the project's timezone.", ("known", "as-of date")),
    Term(
        "outcome",
        "What became of an account: renewed, expanded, contracted, churned or referred.",
        ("score",),
    ),
    Term(
        "override",
        "A person's decision to set, cap or floor a score, with an owner, a reason and an expiry.",
        ("effective", "pulse"),
    ),
    Term(
        "playbook", "A declared answer to an alert: the tasks to do, by whom and by when.", ("alert", "task")
    ),
    Term("points", "What a curve gives for a value: 0 is worst, 100 is best.", ("curve", "contribution")),
    Term("problem", "Something wrong in a project or its data, with its place and a hint.", ("project",)),
    Term(
        "project",
        "A folder of declarations: the sources, the metrics and the scorecards.",
        ("source", "scorecard"),
    ),
    Term(
        "PSI",
        "Population stability index: how far the shares of values have moved between two times.",
        ("drift",),
    ),
    Term(
        "published",
        "The score after stability: what people are shown unless there is an override.",
        ("computed", "effective", "stability"),
    ),
    Term("pulse", "A person's own judgement of an account, with an expiry.", ("override", "measure")),
    Term(
        "recalibrated",
        "Said of a transition that comes only from a changed way of scoring.",
        ("bridge", "transition"),
    ),
    Term(
        "reference",
        "The frozen history that a cohort curve compares with; it changes with the calendar quarter.",
        ("cohort", "curve"),
    ),
    Term(
        "rehearsal",
        "What a playbook would do, for one account or for all, without doing any of it.",
        ("playbook", "enrolment"),
    ),
    Term("rejected", "Said of a row that could not be used; it is kept with the reason.", ("source", "run")),
    Term(
        "replay",
        "The score of past dates, computed again from what was known on each, and published nowhere.",
        (
            "as-of date",
            "validation",
        ),
    ),
    Term("roll-up", "The scores of child accounts as one number of their parent.", ("account",)),
    Term(
        "run", "One pass of the pipeline: from the sources to published tables.", ("snapshot", "as-of date")
    ),
    Term(
        "score",
        "The health of an account from 0 (worst) to 100 (best).",
        ("computed", "published", "effective"),
    ),
    Term(
        "scorecard",
        "Components, rules and bands, and the accounts that they apply to. The first that matches is "
        "an account's own.",
        ("component", "band", "fingerprint"),
    ),
    Term(
        "share",
        "A measure's part of the weight on its scorecard, times its freshness.",
        ("contribution", "coverage"),
    ),
    Term(
        "snapshot",
        "One account on one date under one scorecard: score, band, coverage and its own explanation.",
        ("as-of date", "scorecard"),
    ),
    Term("source", "Where a table lives and how its columns map to accounts, clocks and values.", ("fact",)),
    Term(
        "stability",
        "The rules that keep published score and band from flickering: deadband, margin, confirmation.",
        ("published", "band"),
    ),
    Term("stage", "A part of the lifecycle of an account, given by the first rule that holds.", ("tenure",)),
    Term(
        "stale",
        "Said of a metric whose source has had no row of any account for longer than the measure's limit.",
        ("held", "watermark"),
    ),
    Term(
        "task",
        "A piece of work about an account, with an owner and a due date. It may answer an alert, be a step "
        "of a playbook, and have a checklist; one that is snoozed is out of sight until its day.",
        ("alert", "playbook", "touch"),
    ),
    Term("tenure", "Days since an account started.", ("stage", "cohort")),
    Term(
        "touch",
        "That somebody turned to an account: a note, a task that was done, a pulse, an outcome, an override, "
        "a new owner, or an intervention recorded by hand. The response time runs from an alert or "
        "transition to the first one.",
        ("task", "transition"),
    ),
    Term(
        "transition", "A change of band, with its kind and its drivers.", ("band", "driver", "recalibrated")
    ),
    Term("trend", "Where a score has been heading, and how fast.", ("score",)),
    Term(
        "validation",
        "The trial of a score against what happened.",
        (
            "outcome",
            "replay",
            "AUC",
        ),
    ),
    Term("watermark", "The last day on which a source had a row of any account.", ("stale", "source")),
)
