"""The model of alarms agrees with a reference that goes through every minute, on random filters, math and traffic."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.alarm_path.alarms.scenes import Background
from chalicelib.alarm_path.alarms.simulation import Records, simulate
from chalicelib.alarm_path.alarms.timeline import LogEvent, Publication, Traffic
from chalicelib.alarm_path.snapshot.cloudwatch_alarms import MetricAlarm
from chalicelib.alarm_path.verdicts import Status
from tests.support.alarm_reference import Filter, Kind, Minute, World, raised, text_of
from tests.support.examples import examples

_METRICS = ("m1", "m2", "m3")
_VALUES = st.sampled_from([1.0, 2.0, 0.5, -1.0, 0.0])


def _trees(names: tuple[str, ...]) -> st.SearchStrategy[Any]:
    leaf: st.SearchStrategy[Any] = st.sampled_from(names)
    filled = st.tuples(st.just("FILL"), leaf, st.sampled_from([0.0, 1.0]))
    series = leaf | filled
    compared = st.tuples(st.sampled_from([">", ">=", "<"]), series, series | st.sampled_from([0.0, 1.0]))
    joined = st.tuples(st.sampled_from(["+", "-"]), series | compared, series | st.sampled_from([1.0]))
    chosen = st.tuples(st.just("IF"), compared, series | st.just(1.0), series | st.just(0.0))
    arrays = st.tuples(st.sampled_from(["SUM", "MAX", "MIN", "AVG"]), series | joined, series)
    return series | compared | joined | chosen | arrays


@st.composite
def worlds(draw: st.DrawFn) -> World:
    count = draw(st.integers(1, 3))
    filters = tuple(
        Filter(draw(st.sampled_from(_METRICS[:count])), draw(_VALUES), draw(st.sampled_from([None, 0.0, 0.0, -1.0])))
        for _ in range(count)
    )
    names = tuple(sorted({item.metric for item in filters}))
    periods = draw(st.integers(1, 3))
    return World(
        filters=filters,
        statistics={
            name: draw(st.sampled_from(["Sum", "Sum", "Average", "Minimum", "Maximum", "SampleCount"]))
            for name in names
        },
        expression=draw(_trees(names)),
        period=draw(st.sampled_from([60, 300])),
        periods=periods,
        needed=draw(st.integers(1, periods)),
        threshold=draw(st.sampled_from([0.5, 1.0, 2.0])),
        compare=draw(st.sampled_from(["GreaterThanOrEqualToThreshold", "GreaterThanThreshold"])),
        treat_missing=draw(st.sampled_from(["missing", "notBreaching", "ignore", "breaching"])),
        zero_beside_scalar=False,
        default_beside_match=True,
    )


def _kinds(world: World) -> st.SearchStrategy[Kind]:
    return st.tuples(*(st.booleans() for _ in world.filters))


def _alarm(world: World) -> MetricAlarm:
    metrics: list[dict[str, Any]] = [
        {
            "Id": name,
            "ReturnData": False,
            "MetricStat": {
                "Metric": {"Namespace": "n", "MetricName": name},
                "Period": world.period,
                "Stat": statistic,
            },
        }
        for name, statistic in world.statistics.items()
    ]
    item = {
        "AlarmName": "a",
        "Metrics": [*metrics, {"Id": "e1", "Expression": text_of(world.expression), "ReturnData": True}],
        "EvaluationPeriods": world.periods,
        "DatapointsToAlarm": world.needed,
        "Threshold": world.threshold,
        "ComparisonOperator": world.compare,
        "TreatMissingData": world.treat_missing,
    }
    return MetricAlarm.read(item)


def _log_event(world: World, kind: Kind) -> LogEvent:
    found = []
    for place, (item, matched) in enumerate(zip(world.filters, kind, strict=True)):
        if matched or item.default is not None:
            found.append(Publication(item.metric, place, item.value if matched else item.default, matched=matched))
    return LogEvent(found)


def _records(world: World, record: Kind, usual: Kind, calls: tuple[Kind, ...]) -> Records:
    common = tuple(found for found in [_log_event(world, usual)] if found)
    others = tuple(dict.fromkeys(found for kind in calls if (found := _log_event(world, kind))))
    return Records((_log_event(world, record),), (), Background(common, common, calls=others))


def _readings(world: World) -> list[World]:
    defaults = (True, False) if world.period <= 60 else (True,)
    return [
        replace(world, zero_beside_scalar=zero, default_beside_match=default)
        for zero, default in product((False, True), defaults)
    ]


@settings(max_examples=examples(120), deadline=None)
@given(data=st.data(), world=worlds())
def test_an_alarm_that_passes_fires_in_every_traffic(data: st.DataObject, world: World) -> None:
    record, usual = data.draw(_kinds(world)), (False,) * len(world.filters)
    calls = tuple(data.draw(st.lists(_kinds(world), max_size=2)))
    if simulate(_alarm(world), _records(world, record, usual, calls)).fires is not Status.PASS:
        return
    length, size = world.period // 60, (world.periods + 2) * (world.period // 60)
    steady: Minute = [(usual, data.draw(st.sampled_from([0, 1, 3])))]
    others = st.lists(st.tuples(st.sampled_from([usual, *calls]), st.integers(1, 3)), max_size=2)
    beside: list[Minute] = [data.draw(others) for _ in range(length)]
    beside[0] = [(record, 1), *beside[0]]
    minutes = [*[steady] * size, *beside, *[steady] * size]
    for reading in _readings(world):
        assert raised(reading, minutes, size), (reading, text_of(world.expression))


@settings(max_examples=examples(120), deadline=None)
@given(data=st.data(), world=worlds())
def test_an_alarm_that_fails_stays_silent_in_the_scene_that_it_names(data: st.DataObject, world: World) -> None:
    record, usual = data.draw(_kinds(world)), (False,) * len(world.filters)
    calls = tuple(data.draw(st.lists(_kinds(world), max_size=2)))
    simulated = simulate(_alarm(world), _records(world, record, usual, calls))
    if simulated.fires is not Status.FAIL or simulated.silent_in is None:
        return
    scene = simulated.silent_in
    kinds = {_log_event(world, kind): kind for kind in (*calls, usual)}

    def period(traffic: Traffic, *first: tuple[Kind, int]) -> list[Minute]:
        minute = [*first, *((kinds[log_event], count) for log_event, count in traffic)]
        return [minute, *[[] for _ in range(world.period // 60 - 1)]]

    around = world.periods + 2
    minutes = [*period(scene.before) * around, *period(scene.beside, (record, 1)), *period(scene.after) * around]
    for reading in _readings(world):
        assert not raised(reading, minutes, around * (world.period // 60)), (reading, text_of(world.expression))
