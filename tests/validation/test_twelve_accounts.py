"""Every figure of a report, worked out by hand from the table in twelve.py."""

from __future__ import annotations

import pytest

from retinue.insight.validation import Report
from retinue.insight.validation.sampling import Estimate
from tests.validation import twelve


@pytest.fixture(scope="module")
def report() -> Report:
    return twelve.report()


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-12)


def test_rows_are_counted(report: Report) -> None:
    # 7 + 9 + 15 + 15 rows of accounts 0 to 3, 17 of each of the other eight: 182.
    # Not matured, day 63 and later: 6 of account 2, 6 of account 3, 8 of each of eight: 76.
    # Not at risk: account 0 on days 35 and 42. Not scored: account 10 on day 0 (6 on day 70 is too young).
    # Scored, matured and at risk: 182 - 76 - 2 - 1 = 103, of which 22 are 56 days apart.
    told = report.counted
    assert (told.rows, told.not_matured, told.not_at_risk, told.not_scored) == (182, 76, 2, 1)
    assert (told.overlapping, told.counted) == (81, 22)
    assert told.assumed == near(2 / 22)
    assert report.warnings[0].startswith("9% of the rows have attributes without a history")
    assert (report.observations, report.events, report.accounts, report.groups) == (22, 4, 12, 11)
    assert report.dates == ("1970-01-01", "1970-02-26")
    assert report.base_rate.value == near(4 / 22)


def test_auc_counts_pairs(report: Report) -> None:
    # Of the 18 without it: 20 is below all 18; 30 below 16 and ties with 2 -> 17; 35 below 15 and ties with
    # 1 -> 15.5 (two have 30); 80 below 90 95 90 85 95 and ties with 3 -> 6.5. 57 of 4 x 18 = 72 pairs.
    for one in (report.auc, report.auc_by_account, report.auc_closed_form):
        assert one.value == near(57 / 72)
        assert one.low < one.value < one.high


def test_auc_within_strata_counts_pairs_of_the_same_stratum(report: Report) -> None:
    # Date: day 0: 20 is below all 10. Day 56: 30 -> 7.5 of 8, 35 -> 7, 80 -> 90 85 95 and one tie 3.5.
    assert report.auc_within["date"].value == near((10 + 18) / (10 + 24))
    # Segment: all four are small; there without it: 50 80 35 30 60 on day 0, 30 60 on day 56.
    # 20 -> 7; 30 -> 5 + 2 / 2 = 6; 35 -> 50 80 60 60 and one tie 4.5; 80 -> one tie .5. Large has no event.
    assert report.auc_within["segment"].value == near(18 / 28)
    # Stage: new has 20 and 80 against 80 30 75 90 | 30 75 90 85: 8 + (90 90 85 and one tie) 3.5 of 16.
    # Settled has 30 and 35 against 50 35 60 80 65 95 | 60 80 45 95: 10 + 9.5 of 20.
    assert report.auc_within["stage"].value == near((11.5 + 19.5) / 36)


def test_average_precision_is_the_mean_precision_at_each_event(report: Report) -> None:
    # Rows up to 20: 1, one event; up to 30: 4 (2); up to 35: 6 (3); up to 80: 17 (4).
    assert report.average_precision.value == near((1 + 2 / 4 + 3 / 6 + 4 / 17) / 4)


def test_bands_have_shares_rates_and_lift(report: Report) -> None:
    red, watch, green = report.bands
    # Red: accounts 0 3 4 on day 0, 1 3 4 on day 56; three of them with the outcome.
    assert (red.rows, red.events, red.share) == (6, 3, near(6 / 22))
    assert red.rate.value == near(1 / 2)
    assert red.lift.value == near((1 / 2) / (4 / 22))
    assert red.caught.value == near(3 / 4)
    # Watch: 1 5 9 on day 0, 5 9 on day 56. Green: 2 6 7 8 11 on day 0, those and 10 on day 56.
    assert (watch.rows, watch.events, watch.rate.value, watch.lift.value) == (5, 0, 0, 0)
    assert (green.rows, green.events, green.share) == (11, 1, near(11 / 22))
    assert green.rate.value == near(1 / 11)
    assert green.lift.value == near((1 / 11) / (4 / 22))


def test_deciles_and_histogram_count_rows_by_score(report: Report) -> None:
    # 22 scores in order: 20 30 30 | 30 35 35 45 50 60 60 65 75 75 80 80 80 80 85 90 90 95 95.
    # Tenths of 22 rows lie at places 2.1, 4.2, 6.3, 8.4, 10.5, 12.6, 14.7, 16.8, 18.9 of 0 to 21, that is at
    # 30, 35, 46.5, 60, 70, 77, 80, 84, 90: equal scores stay together.
    got = [(one.low, one.high, one.rows, one.events) for one in report.deciles]
    assert got == [
        (20, 30, 4, 2),
        (35, 35, 2, 1),
        (45, 45, 1, 0),
        (50, 60, 3, 0),
        (65, 65, 1, 0),
        (75, 75, 2, 0),
        (80, 80, 4, 1),
        (85, 90, 3, 0),
        (95, 95, 2, 0),
    ]
    assert report.deciles[0].rate.value == near(2 / 4)
    of = dict(
        zip(
            report.histogram.edges,
            zip(report.histogram.without, report.histogram.having, strict=True),
            strict=False,
        )
    )
    assert (of[20], of[30], of[35], of[80], of[95]) == ((0, 1), (2, 1), (1, 1), (3, 1), (2, 0))
    assert sum(report.histogram.without) == 18 and sum(report.histogram.having) == 4


def test_naive_baselines_are_told_on_the_same_rows(report: Report) -> None:
    got = {one.name: one for one in report.baselines}
    assert got["constant"].auc == Estimate(0.5, 0.5, 0.5)
    assert got["constant"].average_precision == near(4 / 22)
    # Silent days with the outcome: 30 20 10 5; without: 20 10 5 on day 0, and 15 zeros.
    # 30 -> 18; 20 -> 17.5; 10 -> 16.5; 5 -> 15.5.
    silent = got["days since last activity"]
    assert silent.auc.value == near(67.5 / 72)
    assert silent.ahead.value == near((57 - 67.5) / 72)
    # Rows with 30 or more: 1 (1 event); 20: 3 (2); 10: 5 (3); 5: 7 (4).
    assert silent.average_precision == near((1 + 2 / 3 + 3 / 5 + 4 / 7) / 4)
    # Tenure with the outcome: 10, 20 + 56, 30 + 56, 40 + 56; without, on day 0: 20 to 100 and 120, on day 56:
    # 106 to 176. Shorter is worse: 10 -> 18; 76 -> 80 90 100 120 and 8 = 12; 86 -> 11; 96 -> 10.
    assert got["tenure"].auc.value == near(51 / 72)
    # Logins are 100 but for account 2 with 10. Its event -> 17.5; the others tie with 17 -> 8.5.
    assert got["usage"].auc.value == near((17.5 + 3 * 8.5) / 72)
    # Half of the events come after day 56, so that rows of day 0 choose: there 30 silent days are above all.
    best = got["best single metric"]
    assert best.chosen == "silent_days, chosen on the earlier half"
    assert best.auc.value == near(67.5 / 72)
    # Told on day 56: 20 10 5 against zeros; the score has 18 of 24 there.
    assert best.later is not None and best.later.value == 1
    assert best.score_later is not None and best.score_later.value == near(18 / 24)


def test_where_those_lost_stood_before(report: Report) -> None:
    # Seven days before: account 0 on day 21 (30 - 7 = 23) red, 1 on 49 watch, 2 on 91 green, 3 on 98 red.
    # Beside them, those not lost in the 7 days after and the days to the next date:
    # day 21: 1 to 11: green 2 6 7 8 10 11, red 3 4 5. Day 49: 2 to 11: green 2 6 7 8 10 11, red 4.
    # Day 91: 3 to 11: green 6 7 8 10 11, red 3 4. Day 98: 4 to 11: green 6 7 8 10 11, red 4.
    found = {one.days: one for one in report.before}
    week = found[7]
    assert (week.seen, week.green.value, week.red.value) == (4, near(1 / 4), near(2 / 4))
    assert week.stayed_green == near((6 / 11 + 6 / 10 + 5 / 9 + 5 / 8) / 4)
    assert week.stayed_red == near((3 / 11 + 1 / 10 + 2 / 9 + 1 / 8) / 4)
    # 14: 0 on 14 red, 1 on 42 watch, 2 on 84 green, 3 on 91 red. 28: on 0 red, 28 watch, 70 green, 77 red.
    assert (found[14].seen, found[14].green.value, found[14].red.value) == (4, near(1 / 4), near(2 / 4))
    assert (found[28].seen, found[28].green.value, found[28].red.value) == (4, near(1 / 4), near(2 / 4))
    # 30: 0 on 0 red, 1 on 28 watch, 2 on 70 green, 3 on 70 red.
    assert (found[30].seen, found[30].green.value, found[30].red.value) == (4, near(1 / 4), near(2 / 4))
    # 60: 1 on 0 watch, 2 on 35 green, 3 on 42 watch. 90: 2 on 7 green, 3 on 14 red.
    assert (found[60].seen, found[60].green.value, found[60].red.value) == (3, near(1 / 3), 0)
    assert (found[90].seen, found[90].green.value, found[90].red.value) == (2, near(1 / 2), near(1 / 2))


def test_warned_60_to_90_days_before_against_those_that_stayed(report: Report) -> None:
    # Account 0 has no date so early. 1: day 0, watch -> 1. 2: days 14 to 35, green -> 0. 3: days 21 to 42,
    # red or watch -> 1.
    found = report.warned
    assert (found.seen, found.lost.value) == (3, near(2 / 3))
    # Below green of those not lost in 90 days: day 0: 3 4 5 9 of 2 to 9 and 11 -> 4/9. Day 14: 3 4 5 9 of
    # 3 to 11 -> 4/9. Days 21 to 42: 4 5 9 of 4 to 11 -> 3/8.
    stayed = (4 / 9 + (4 / 9 + 3 * 3 / 8) / 4 + 3 / 8) / 3
    assert found.stayed == near(stayed)
    assert found.ratio.value == near(2 / 3 / stayed)


def test_lead_time_and_its_null(report: Report) -> None:
    # Last dates before the losses: 28, 56, 98, 98. Account 0 red since day 0: 30 days. 1 since 56: 4.
    # 2 green. 3 since 56: 49.
    found = report.lead_time
    assert (found.lost, found.captured, found.capture.value) == (4, 3, near(3 / 4))
    assert (found.median_days, found.p25_days, found.at_least_30) == (30, 4, near(2 / 4))
    assert found.spells == (1, 1, 1, 0, 0)
    # A random account still there on the day of the loss:
    # day 30: 1 to 11; red on 28: 3 and 4 since 0 -> 30 days, each 1/11.
    # day 60: 2 to 11; red on 56: 3 since 56 -> 4 days, 4 since 0 -> 60, each 1/10.
    # day 100: 3 to 11; red on 98: 3 since 56 -> 44, 4 -> 100, each 1/9. Day 105: 4 to 11; 4 -> 105, 1/8.
    total = 2 / 11 + 2 / 10 + 2 / 9 + 1 / 8
    assert found.null_capture == near(total / 4)
    # Half of .7290 is .3645; weights .1 at 4, .1818 at 30, .1111 at 44: reached at 44; a quarter at 30.
    assert (found.null_median_days, found.null_p25_days) == (44, 30)
    assert found.null_at_least_30 == near((total - 1 / 10) / 4)
    assert found.null_spells == pytest.approx([1 / 10, 2 / 11, 1 / 9 + 1 / 10, 0, 1 / 9 + 1 / 8])


def test_movement_per_account_year(report: Report) -> None:
    # Days between the first and last scored date at risk: 28 + 56 + 98 + 98 + 7 x 112 + 105 (account 10).
    found = report.movement
    years = (28 + 56 + 98 + 98 + 7 * 112 + 105) / 365.25
    assert found.account_years == near(years)
    # Account 5: red on 21 and back on 28, a flap. 9: red on 63, back on 84, 21 days. 1: red on 56.
    # 3: watch on 35, red on 56, 21 days.
    assert found.changes_per_account_year == near(7 / years)
    assert found.flaps_per_account_year == near(1 / years)
    # To red: 5 on 21, 1 and 3 on 56, 9 on 63, in 16 weeks.
    assert (found.turns_red_per_week, found.most_turns_red_in_a_week) == (near(4 / 16), 2)


def test_shares_over_time(report: Report) -> None:
    first, last = report.over_time[0], report.over_time[-1]
    assert (first.date, first.accounts, len(report.over_time)) == ("1970-01-01", 11, 17)
    assert (first.red, first.watch, first.green) == (near(3 / 11), near(3 / 11), near(5 / 11))
    # On day 112: 4 red, 5 and 9 watch, 6 7 8 10 11 green. On day 70 account 6 is not scored, 9 is red.
    assert (last.accounts, last.red, last.watch, last.green) == (8, near(1 / 8), near(2 / 8), near(5 / 8))
    day_70 = report.over_time[10]
    assert (day_70.accounts, day_70.red) == (9, near(3 / 9))


def test_missing_data_and_caps(report: Report) -> None:
    # Before caps account 4 has 70 on both dates: 30 -> 18, 35 -> 17.5, so 18 + 18 + 17.5 + 6.5 = 60.
    found = report.missing
    assert found.reweight.value == near(60 / 72)
    # Half of what accounts 5 (60) and 8 (90) have is missing. As 50: 55 and 70, and 80 is no longer below the
    # two 90s. As 0: 30 and 45: besides, 30 ties with two, and 35 is above two.
    assert found.neutral.value == near(58 / 72)
    assert found.worst.value == near((58 - 1 - 2) / 72)
    assert found.rows_with_missing == 4
    assert (found.not_scored, found.not_scored_share, found.not_scored_rate.value) == (1, near(1 / 23), 0)
    caps = report.caps
    assert (caps.rows, caps.rate.value) == (2, 0)
    assert caps.auc_without.value == near(60 / 72)
    assert caps.adds.value == near(-3 / 72)


def test_parts_have_their_rows_events_and_bands(report: Report) -> None:
    got = {(one.by, one.name): one for one in report.slices}
    small, large = got["segment", "small"], got["segment", "large"]
    # Small: 0 to 5 on day 0, 1 to 5 on day 56; six of the eleven are red, three of those with the outcome.
    assert (small.rows, small.events, small.rate.value) == (11, 4, near(4 / 11))
    assert (small.red_share, small.red_rate.value) == (near(6 / 11), near(3 / 6))
    assert (large.rows, large.events, large.red_share) == (11, 0, 0)
    assert small.reason == "too few: 4 events, 10 are needed" and not small.auc.known
    # New: 0 2 4 6 8 on day 0, 2 4 6 8 10 on day 56.
    assert got["stage", "new"].rows == 5 + 5 and got["stage", "new"].events == 2
    assert (got["date", "1970-02-26"].rows, got["date", "1970-02-26"].events) == (11, 3)
    assert (got["quarter", "1970 Q1"].rows, got["scorecard", "one"].rows) == (22, 22)
    # Accounts 5 and 8 have half of their data.
    assert got["coverage", ".5 to .7"].rows == 4 and got["coverage", "at least .9"].rows == 18
    treated = got["treatment", "treated"]
    assert (treated.rows, treated.events, treated.red_rate.value) == (2, 1, near(1 / 2))
    # Untreated red: 0 and 4 on day 0, 1 and 4 on day 56.
    assert got["treatment", "untreated"].red_rate.value == near(2 / 4)


def test_reasons_and_amounts_by_the_band_a_week_before(report: Report) -> None:
    price, none, product = report.reasons
    assert (price.name, price.lost, price.seen, price.green, price.red) == ("price", 2, 2, 0, 1)
    assert (none.name, none.lost, none.green, none.red) == ("none given", 1, 0, 1)
    assert (product.name, product.lost, product.green, product.red) == ("product", 1, 1, 0)
    # Account 3 has no amount of its own, but a revenue of 50.
    got = {one.band: (one.lost, one.known, one.amount) for one in report.amounts}
    assert got["red"] == (2, 2, 150) and got["watch"] == (1, 1, 200) and got["green"] == (1, 1, 400)
    assert got["not seen"] == (0, 0, 0)


def test_four_events_are_not_enough_for_a_verdict_and_what_needs_more(report: Report) -> None:
    assert report.verdict == "not_enough_churn"
    assert report.sentence == "4 events within 56 days; 20 are needed to say anything."
    assert report.would_change[0].startswith("16 more events")
    lift, warned, green, capacity = report.bars
    assert (lift.passed, lift.value) == (None, near(2.75))
    assert warned.passed is None and "3 lost accounts" in warned.sentence
    assert green.passed is True and green.value == near(5 / 8)
    assert capacity.passed is True and capacity.value == 1
    assert report.passed
    assert report.challenger.reason == "4 events do not leave 20 to learn from and 20 later ones to tell on"
    assert report.calibration.reason is not None and report.calibration.kind is None


def test_names_in_json_stand_for_the_figures_above(report: Report) -> None:
    found = report.to_dict()
    assert found["red"]["lift"] == near(2.75) and found["red"]["churn_rate"] == near(1 / 2)
    assert found["green"]["churned_while_green"] == near(1 / 4)
    assert found["green"]["churned_while_green_by_days"]["60"] == near(1 / 3)
    assert found["lead_time"]["capture"] == near(3 / 4) and found["lead_time"]["median_days"] == 30
    assert found["lead_time"]["null_median_days"] == 44
    assert found["baselines"]["tenure"] == near(51 / 72)
    assert found["challenger"] is None
