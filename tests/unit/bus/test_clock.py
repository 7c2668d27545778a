"""Time quality of a clock: the kernel's state, the TimeQuality octet, and the accuracy that an exchange takes from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.clock import FINEST, UNKNOWN, ClockState, accuracy, blurred, middle, time_quality, worst
from bus.quality import Stamp
from bus.system_clock import SystemClock, kernel_state

UNSYNC, CLOCKERR, PLL, NANO, INSERT = 0x40, 0x1000, 0x01, 0x2000, 0x10
OK, INSERTING, ERROR = 0, 1, 5


@pytest.mark.conformance("TM-1", "TM-2")
@pytest.mark.parametrize(
    ("verdict", "status", "max_error_us", "octet"),
    [
        (OK, PLL | NANO, 500, 0x8A),
        (OK, PLL, 1000, 0x89),
        (OK, PLL, 976, 0x8A),
        (OK, PLL, 0, 0x94),
        (OK, PLL, 250_000, 0x82),
        (OK, PLL, 1_000_000, 0x80),
        (OK, PLL, 1_000_001, 0x9F),
        (INSERTING, PLL | INSERT, 500, 0x8A),
        (ERROR, UNSYNC, 16_000_000, 0x3F),
        (ERROR, PLL | CLOCKERR, 500, 0x7F),
        (OK, UNSYNC, 500, 0x3F),
        (ERROR, PLL, 500, 0x3F),
    ],
    ids=[
        "half a millisecond", "a millisecond is less than 10 bits", "10 bits", "never better than a microsecond",
        "a quarter of a second", "a second", "more than a second", "a leap second is coming", "never disciplined",
        "clock error", "the source is lost", "error without a reason",
    ],
)  # fmt: skip
def test_what_the_kernel_says_becomes_the_octet_of_stamps(
    verdict: int, status: int, max_error_us: int, octet: int
) -> None:
    assert time_quality(ClockState.of_kernel(verdict, status, max_error_us)) == octet


@pytest.mark.conformance("TM-2")
def test_a_clock_that_fails_says_so_though_it_is_synchronized() -> None:
    assert time_quality(ClockState(synchronized=True, failed=True, error_ns=1_000_000)) == 0xC9


def test_a_clock_of_which_nothing_is_known_is_not_synchronized() -> None:
    assert time_quality(UNKNOWN) == 0x3F


@given(st.integers(1, 1_000_000_000))
def test_the_bits_of_accuracy_hold_at_least_the_error(error_ns: int) -> None:
    bits = accuracy(error_ns)
    assert 0 <= bits <= 20
    assert error_ns <= 1e9 / 2**bits
    assert bits == 20 or error_ns > 1e9 / 2 ** (bits + 1)


@pytest.mark.conformance("TM-1")
@pytest.mark.parametrize(
    ("octet", "error_ns", "then"),
    [(0x8A, 100_000, 0x8A), (0x8A, 25_000_000, 0x85), (0x3F, 100, 0x3F), (0x8A, 2_000_000_000, 0x9F), (0x8A, 0, 0x8A)],
)
def test_a_stamp_is_no_better_than_the_exchange_that_it_comes_from(octet: int, error_ns: int, then: int) -> None:
    assert blurred(octet, error_ns) == then


def test_the_stamp_of_an_exchange_is_its_middle_and_keeps_the_monotonic_time_of_its_end() -> None:
    end = Stamp(7_000, 1_700_000_000_000_000_000, 0x8A)
    assert middle(end, 25_000_000) == Stamp(7_000, 1_699_999_999_975_000_000, 0x85)
    assert middle(end, 100_000) == Stamp(7_000, 1_699_999_999_999_900_000, 0x8A)
    assert middle(end, 0) == end


@pytest.mark.parametrize(
    ("first", "second", "both"), [(0x8A, 0x85, 0x85), (0x8A, 0x3F, 0x3F), (0xC9, 0x8A, 0xC9), (FINEST, 0x8A, 0x8A)]
)
def test_one_octet_for_several_stamps_is_that_of_the_worst(first: int, second: int, both: int) -> None:
    assert worst(first, second) == worst(second, first) == both


class Kernel:
    """A kernel whose clock a test disciplines, and a monotonic clock that it moves."""

    def __init__(self, *states: ClockState) -> None:
        self.states = list(states)
        self.ns = 0
        self.told: list[tuple[ClockState | None, ClockState]] = []
        self.clock = SystemClock(
            read=self._next, monotonic_ns=lambda: self.ns, on_change=lambda *change: self.told.append(change)
        )

    def _next(self) -> ClockState:
        return self.states.pop(0)

    def quality(self, seconds: float) -> int:
        self.ns = round(seconds * 1e9)
        return self.clock.now().time_quality


@pytest.mark.conformance("TM-N1")
def test_a_lost_source_shows_within_a_second_until_it_is_back_and_is_told_once() -> None:
    good, worse = (ClockState(synchronized=True, error_ns=ns) for ns in (500_000, 20_000_000))
    kernel = Kernel(good, worse, UNKNOWN, UNKNOWN, good)
    assert [kernel.quality(at) for at in (0, 0.5, 0.999, 1, 2, 3, 3.5, 4)] == [
        0x8A, 0x8A, 0x8A, 0x85, 0x3F, 0x3F, 0x3F, 0x8A,
    ]  # fmt: skip
    assert kernel.states == []
    assert kernel.told == [(None, good), (worse, UNKNOWN), (UNKNOWN, good)]


def test_a_clock_that_the_site_vouches_for_is_not_asked() -> None:
    def never() -> ClockState:
        raise AssertionError("asked")

    assert SystemClock(20_000_000, read=never).now().time_quality == 0x85


def test_this_hosts_kernel_gives_an_answer_of_some_kind() -> None:
    state = kernel_state()
    assert (state.error_ns is not None) == state.synchronized
