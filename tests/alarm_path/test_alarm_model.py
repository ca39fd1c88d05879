"""What one matching record does to an alarm, and that a plain step-by-step simulation says the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.alarm_path.alarms.composite_rule import RuleError, alarms_in, holds, parse_rule
from chalicelib.alarm_path.alarms.metric_math import UNSURE, Interpretation, Series, UnknownMathError, evaluate
from chalicelib.alarm_path.alarms.scenes import Background
from chalicelib.alarm_path.alarms.simulation import Effort, Records, Simulated, simulate
from chalicelib.alarm_path.alarms.statistics import statistic
from chalicelib.alarm_path.alarms.timeline import LogEvent, Publication
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import MetricAlarm
from chalicelib.alarm_path.verdicts import Status
from tests.support.alarm_paths import alarm


def one_filter(item: MetricAlarm, value: float | None, default: float | None) -> Records:
    """A filter that feeds sg-changes alone, in a log group where other log events come all the time."""
    fed = [query.id for query in item.watched if query.metric == "sg-changes"]
    outside = {query.id: UNSURE for query in item.watched if query.id not in fed}
    record = LogEvent(Publication(name, 0, value, matched=True) for name in fed)
    other = LogEvent(Publication(name, 0, default, matched=False) for name in fed if default is not None)
    usual = (other,) if other else ()
    return Records((record,), (), Background(usual, usual, outside=(outside,)))


def run(value: float | None = 1.0, default: float | None = None, **changes: Any) -> Simulated:
    item = MetricAlarm.read(alarm(**changes))
    return simulate(item, one_filter(item, value, default))


def test_a_record_that_several_filters_match_is_tried_once() -> None:
    item = MetricAlarm.read(alarm())
    records = one_filter(item, 1.0, 0.0)
    effort = Effort()
    first = simulate(item, records, effort)
    left = effort.left
    assert 0 < left < Effort().left
    assert simulate(item, replace(records, complete=False), effort).fires is Status.UNKNOWN
    assert simulate(item, records, effort) == first
    assert effort.left == left


def math(expression: str, *others: str) -> dict[str, Any]:
    ids = {"m1": "sg-changes", **{f"m{number}": name for number, name in enumerate(others, 2)}}
    metrics: list[dict[str, Any]] = [
        {
            "Id": query_id,
            "MetricStat": {"Metric": {"Namespace": "n", "MetricName": name}, "Period": 60, "Stat": "Sum"},
            "ReturnData": False,
        }
        for query_id, name in ids.items()
    ]
    return {"MetricName": None, "Metrics": [*metrics, {"Id": "e1", "Expression": expression}]}


@pytest.mark.parametrize("periods", [1, 2, 5])
@pytest.mark.parametrize("period", [60, 300, 86400])
def test_the_worst_time_is_the_whole_period_that_holds_the_record(periods: int, period: int) -> None:
    assert run(Period=period, EvaluationPeriods=periods, DatapointsToAlarm=1).seconds == period


def test_a_period_below_a_minute_waits_for_the_filter() -> None:
    assert run(Period=10).seconds == 60


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html: "- - X - -"
def test_a_breach_followed_by_nothing_is_an_alarm_once_it_is_old_enough() -> None:
    outcome = run(Period=60, EvaluationPeriods=3, TreatMissingData="missing")
    assert (outcome.fires, outcome.seconds) == ("pass", 180)
    assert run(Period=60, EvaluationPeriods=3, TreatMissingData="notBreaching").fires == "fail"
    assert run(Period=60, EvaluationPeriods=3, TreatMissingData="ignore").fires == "fail"


# EvaluationPeriods times Period may be a week:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
def test_an_alarm_that_looks_back_a_week_of_minutes_is_judged_like_any_other() -> None:
    week = 7 * 24 * 60
    outcome = run(Period=60, EvaluationPeriods=week, DatapointsToAlarm=week, TreatMissingData="missing")
    assert (outcome.fires, outcome.seconds) == ("pass", week * 60)
    assert run(Period=60, EvaluationPeriods=week, DatapointsToAlarm=2, TreatMissingData="notBreaching").fires == "fail"


def test_a_default_value_takes_that_away_because_other_events_are_then_not_missing() -> None:
    assert run(default=0.0, Period=60, EvaluationPeriods=3, TreatMissingData="missing").fires == "fail"


def test_what_a_minute_with_a_match_and_other_events_averages_to_is_not_documented() -> None:
    assert run(default=0.0, Period=60, Statistic="Average").fires == "unknown"
    assert run(default=0.0, Period=300, Statistic="Average").fires == "fail"
    assert (
        run(
            default=0.0, Period=300, Statistic="Average", Threshold=0.0, ComparisonOperator="GreaterThanThreshold"
        ).fires
        == "pass"
    )


@pytest.mark.parametrize("statistic", ["Sum", "Average", "Minimum", "Maximum", "SampleCount"])
def test_without_a_default_value_every_statistic_of_one_record_is_one(statistic: str) -> None:
    assert run(Statistic=statistic).fires == "pass"
    assert run(Statistic=statistic, Threshold=1.5).fires == "fail"


def test_an_alarm_that_rests_in_alarm_is_reported() -> None:
    assert run(TreatMissingData="breaching").leaves == "fail"
    assert run(TreatMissingData="ignore").leaves == "fail"
    assert run(default=0.0, Threshold=0.0).leaves == "fail"
    assert run(default=0.0, TreatMissingData="ignore").leaves == "pass"
    assert run(default=0.0, TreatMissingData="breaching").leaves == "pass"


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("m1", "pass"),
        ("FILL(m1, 0)", "pass"),
        ("SUM(METRICS())", "pass"),
        ("SUM([m1, FILL(m1, 0)]) / 2", "pass"),
        ("MAX([m1, 0])", "pass"),
        ("IF(m1 > 0, 1, 0)", "pass"),
        ("IF(m1 >= 1 AND NOT (m1 > 1), 1)", "pass"),
        ("m1 * 2 - 1", "pass"),
        ("2 ^ m1 - 1", "pass"),
        ("m1 - 1", "fail"),
        ("RATE(FILL(m1, 0))", "fail"),
        ("DIFF(FILL(m1, 0))", "pass"),
        ("m1 / 0", "fail"),
        ("AVG([m1, TIME_SERIES(0)])", "fail"),
        ("STDDEV(m1)", "unknown"),
        ("ANOMALY_DETECTION_BAND(m1)", "unknown"),
        ("m1 +", "unknown"),
        ("SELECT MAX(x) FROM y", "unknown"),
    ],
)
def test_metric_math_is_evaluated_and_what_is_not_known_is_unknown(expression: str, answer: str) -> None:
    assert run(**math(expression)).fires == answer


def test_a_metric_that_nothing_describes_makes_the_answer_unknown_only_where_it_matters() -> None:
    assert run(**math("m1 + m2", "elsewhere")).fires == "unknown"
    assert run(**math("IF(m1 > 0, 1, m2)", "elsewhere")).fires == "pass"


def test_an_anomaly_band_is_unknown() -> None:
    assert (
        run(ThresholdMetricId="ad1", Threshold=None, ComparisonOperator="GreaterThanUpperThreshold").fires == "unknown"
    )


def _plain_simulation(values: list[float | None], alarm_: MetricAlarm) -> int | None:
    """Minute after minute with a sliding window, for a period of one minute; the record is in minute 0."""
    history: list[float | None] = [values[1]] * 20 + [values[0]] + [values[1]] * 20
    threshold = alarm_.threshold or 0.0
    for minute in range(20, 40):
        window = history[minute - alarm_.evaluation_periods + 1 : minute + 1]
        known = [value for value in window if value is not None]
        hits = sum(value >= threshold for value in known)
        missing = len(window) - len(known)
        if hits + (missing if alarm_.treat_missing == "breaching" else 0) >= alarm_.datapoints_to_alarm:
            return minute - 20
        if alarm_.treat_missing == "missing" and missing and known and hits == len(known):
            oldest = len(window) - next(place for place, value in enumerate(window) if value is not None)
            if oldest >= alarm_.datapoints_to_alarm:
                return minute - 20
    return None


@given(
    value=st.sampled_from([0.0, 1.0, 2.0]),
    default=st.sampled_from([None, 0.0]),
    periods=st.integers(1, 6),
    share=st.integers(1, 6),
    threshold=st.sampled_from([1.0, 2.0, 3.0]),
    treat=st.sampled_from(["missing", "notBreaching", "ignore"]),
)
def test_the_model_agrees_with_a_step_by_step_simulation(
    value: float, default: float | None, periods: int, share: int, threshold: float, treat: str
) -> None:
    needed = min(share, periods)
    item = alarm(
        Period=60, EvaluationPeriods=periods, DatapointsToAlarm=needed, Threshold=threshold, TreatMissingData=treat
    )
    read = MetricAlarm.read(item)
    outcome = simulate(read, one_filter(read, value, default))
    runs = [_plain_simulation([value, filler], MetricAlarm.read(item)) for filler in {None, default}]
    minutes = None if None in runs else max(minute for minute in runs if minute is not None)
    assert outcome.seconds == (None if minutes is None else 60 * (minutes + 1))


def test_missing_and_unsure_values_go_through_arithmetic() -> None:
    series: dict[str, Series] = {"m1": (1.0, None, UNSURE), "m2": (2.0, 2.0, 2.0)}
    assert evaluate("SUM([m1, m2])", series, 3, 60) == (3.0, 2.0, UNSURE)
    assert evaluate("FILL(m1, REPEAT) * 1", {"m1": (1.0, None, None)}, 3, 60) == (1.0, 1.0, 1.0)
    with pytest.raises(UnknownMathError):
        evaluate("[m1, m2]", series, 3, 60)


# "Missing values in a time series are treated as 0" and the examples beside it:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
@pytest.mark.parametrize("silent_zero", [False, True])
@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("m1 + m2", (50.0, 20.0, 20.0, None)),
        ("m1 < m2", (0.0, 0.0, 1.0, None)),
        ("m1 / m2", (1.5, None, 0.0, None)),
        ("AVG([m1, m2])", (25.0, 10.0, 10.0, None)),
        ("IF(m1, m2, 7)", (20.0, 0.0, 7.0, None)),
        ("m1 > 15 AND m2 > 15", (1.0, 0.0, 0.0, None)),
    ],
)
def test_a_missing_value_is_what_the_page_on_metric_math_says(
    expression: str, result: Series, silent_zero: bool
) -> None:
    series: dict[str, Series] = {"m1": (30.0, 20.0, 0.0, None), "m2": (20.0, None, 20.0, None)}
    found = evaluate(expression, series, 4, 60, Interpretation(silent_zero=silent_zero))
    assert found[:3] == result[:3]
    assert found[3] in {None, 0.0}


def test_where_the_page_is_silent_both_readings_are_kept_apart() -> None:
    series: dict[str, Series] = {"m1": (None,), "m2": (3.0,)}
    for expression, missing, zero in (("m1 + 1", None, 1.0), ("MIN([m1, m2])", 3.0, 0.0), ("-m1 + m2", 3.0, 3.0)):
        assert evaluate(expression, series, 1, 60) == (missing,)
        assert evaluate(expression, series, 1, 60, Interpretation(silent_zero=True)) == (zero,)


def test_rate_without_an_earlier_value_is_not_known() -> None:
    assert evaluate("DIFF(m1)", {"m1": (None, 1.0, 3.0)}, 3, 60) == (None, UNSURE, 2.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("Sum", 4.0), ("Average", 0.4), ("Minimum", 0.0), ("Maximum", 2.0), ("SampleCount", 10.0)),
        *(("p100", 2.0), ("p50", 0.0), ("p99", UNSURE), ("tm90", UNSURE), ("TC(1:)", UNSURE)),
    ],
)
def test_a_statistic_is_of_the_samples_of_the_period(name: str, value: float) -> None:
    assert statistic(name, [(0.0, 8), (2.0, 2)]) in ({2.0, value} if name == "p99" else {value})
    assert statistic(name, []) is None


def test_a_composite_rule_is_read_with_names_quoted_bare_and_as_arns() -> None:
    rule = parse_rule('(ALARM("a b") OR OK(c)) AND NOT insufficient_data(arn:aws:cloudwatch:x:1:alarm:d) and TRUE')
    assert alarms_in(rule) == {"a b", "c", "arn:aws:cloudwatch:x:1:alarm:d"}
    states = {"a b": "ALARM", "c": "ALARM"}
    assert holds(rule, lambda name: states.get(name, "OK")) is True
    assert holds(rule, {"a b": "OK", "c": "ALARM"}.get) is False
    assert holds(rule, states.get) is None


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("AT_LEAST(1, ALARM, (a, b))", True),
        ("AT_LEAST(2, ALARM, (a, b))", False),
        ('AT_LEAST(50%, ALARM, ("a", b, c, d))', None),
        ("at_least(51%, not OK, (a, b))", False),
        ("NOT AT_LEAST(2, OK, (a, b))", True),
        ("AT_LEAST(1, OK, (a, c))", None),
        ('AT_LEAST(1, ALARM, ("a, (b", a)) AND ALARM(a)', True),
    ],
)
def test_a_composite_rule_counts_alarms(rule: str, expected: bool | None) -> None:
    assert holds(parse_rule(rule), {"a": "ALARM", "b": "OK", "d": "OK"}.get) is expected


@pytest.mark.parametrize(
    "text",
    ["", "ALARM(a) AND", "AT_LEAST(3, ALARM, (a, b))", "AT_LEAST(1, ALARM, ())", "(ALARM(a)", "ALARM(a) ALARM(b)"],
)
def test_a_rule_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(RuleError):
        parse_rule(text)


def test_an_alarm_that_takes_more_effort_than_is_left_is_unknown_and_says_so() -> None:
    item = MetricAlarm.read(alarm(**math("m1 + m2", "sg-others")))
    simulated = simulate(item, one_filter(item, 1.0, 0.0), Effort(left=5))
    assert (simulated.fires, simulated.leaves) == (Status.UNKNOWN, Status.PASS)
    assert "more metrics and filters feed it than an audit can try" in simulated.reason


def test_an_alarm_whose_filters_match_in_more_combinations_than_were_tried_is_unknown() -> None:
    item = MetricAlarm.read(alarm())
    simulated = simulate(item, replace(one_filter(item, 1.0, 0.0), complete=False))
    assert simulated.fires is Status.UNKNOWN
    assert "more combinations than an audit can try" in simulated.reason
