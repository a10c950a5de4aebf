"""Anomalies of usage: accounts that did less, or more, than they and their peers let expect."""

#: Weeks that level and weekday profile are taken from.
WEEKS = 8
#: Weeks of history that are looked at: decline over 16, each against 8 weeks that end 4 before it.
LAG = 4
HISTORY_WEEKS = WEEKS + LAG + 16
#: The share of false ones among the accounts that are flagged.
RATE = 0.1
#: The CUSUM sums how far below expectation weeks are beyond SLACK (in standard deviations), to LIMIT.
SLACK, LIMIT = 0.25, 6.5
