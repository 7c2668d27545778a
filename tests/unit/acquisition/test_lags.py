"""Lags of units: the largest of 24 hours of service, the record that another OS process goes on with, and its file."""

from pathlib import Path

import pytest

from acquisition.exchange.identity import channel_record
from acquisition.exchange.identity.channel_record import ChannelRecord
from acquisition.exchange.identity.lags import LAG_KEPT_S, LAGS_LIMIT, Lags, RecordedLag
from acquisition.exchange.identity.late_text import TEXT
from acquisition.learned_devices import LearnedChannels

HALF = ChannelRecord({1: (RecordedLag(0.5, 3600.0),), TEXT: (RecordedLag(2.0, 60.0),)})
MASTER = ChannelRecord(other_master=True)


def test_a_record_has_the_hours_of_service_that_each_lag_has_left() -> None:
    lags = Lags()
    lags.note(1, 0.5, 1000.0)
    lags.note(1, 0.2, 4600.0)
    lags.note(TEXT, 2.0, 4600.0)
    assert lags.record(8200.0) == {
        1: (RecordedLag(0.5, LAG_KEPT_S - 7200), RecordedLag(0.2, LAG_KEPT_S - 3600)),
        TEXT: (RecordedLag(2.0, LAG_KEPT_S - 3600),),
    }
    assert lags.record(1000.0 + LAG_KEPT_S) == {1: (RecordedLag(0.2, 3600.0),), TEXT: (RecordedLag(2.0, 3600.0),)}
    assert lags.record(5000.0 + LAG_KEPT_S) == {}


def test_the_next_os_process_counts_on_wherever_its_clock_begins() -> None:
    lags = Lags()
    lags.restore(HALF.lags, 7.0)
    assert (lags.lag(1, 7.0), lags.lag(1, 3606.0), lags.lag(1, 3607.0)) == (0.5, 0.5, 0.0)
    assert (lags.lag(TEXT, 66.0), lags.lag(TEXT, 67.0), lags.lag(2, 7.0)) == (2.0, 0.0, 0.0)


def test_a_lag_has_grown_if_it_is_new_or_a_tenth_longer_than_its_record() -> None:
    lags = Lags()
    lags.restore(HALF.lags, 0.0)
    end_s = 13.0 + LAG_KEPT_S  # of the one that was recorded for unit 2
    seen = []
    for unit, seconds, now in (
        (1, 0.4, 9.0),
        (1, 0.54, 9.0),
        (1, 0.56, 9.0),
        (1, 0.57, 11.0),
        (2, 0.01, 12.0),
        (2, 0.009, end_s),
    ):
        lags.note(unit, seconds, now)
        seen.append(lags.grown)
        if lags.grown:
            lags.record(now)
    assert seen == [False, False, True, False, True, True]


def test_ever_smaller_lags_are_bounded_and_none_of_them_counts_for_less_than_it_should() -> None:
    lags = Lags()
    for place in range(100):
        lags.note(1, 100.0 - place, float(place))
    assert len(lags.record(100.0)[1]) == LAGS_LIMIT
    for place in range(100):
        assert lags.lag(1, place + LAG_KEPT_S - 0.5) >= 100.0 - place
    assert lags.lag(1, 99.0 + LAG_KEPT_S) == 0.0


def test_records_are_known_after_a_restart_each_with_its_line(tmp_path: Path) -> None:
    path = channel_record.file_of(tmp_path / "state", "w")
    learned = LearnedChannels(path)
    learned.note("rs485-1", HALF)
    learned.note("lan", MASTER)
    learned.note("sound", ChannelRecord())
    assert LearnedChannels(path).known == {"rs485-1": HALF, "lan": MASTER}
    learned.note("rs485-1", ChannelRecord())
    assert LearnedChannels(path).known == {"lan": MASTER}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": ', "Input data was truncated"),
        ('{"a": {"lags": {"1": [{"seconds": 1e9, "left_s": 1}]}}}', "Expected `float` <= 86400.0"),
        ('{"a": {"lags": {"1": [{"seconds": -1, "left_s": 1}]}}}', "Expected `float` > 0.0"),
        ('{"a": {"lags": {"1": [{"seconds": 1, "left_s": 1e9}]}}}', "Expected `float` <= 86400.0"),
        ('{"a": {"lags": {"x": []}}}', "Expected `int`, got `str`"),
    ],
    ids=["cut", "a lag of years", "a negative lag", "for years", "no unit"],
)
def test_a_broken_file_is_told_once_and_forgotten(
    text: str, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = channel_record.file_of(tmp_path, "w")
    path.write_text(text)
    learned = LearnedChannels(path)
    assert learned.known == {}
    assert [one.message.partition(" - at")[0] for one in caplog.records] == [
        f"how late devices answered is forgotten: {path}: {reason}"
    ]
    learned.note("lan", MASTER)
    assert LearnedChannels(path).known == {"lan": MASTER}


def test_a_disk_that_takes_nothing_costs_the_record_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state").write_text("no folder")
    LearnedChannels(None).note("a", MASTER)
    learned = LearnedChannels(channel_record.file_of(tmp_path / "state", "w"))
    learned.note("a", MASTER)
    assert learned.known == {"a": MASTER}
    assert [one.message.partition(": ")[0] for one in caplog.records] == [
        "how late devices answered is forgotten", "how late devices answer is not kept",
    ]  # fmt: skip
