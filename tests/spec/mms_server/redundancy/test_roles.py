"""Election of the gateway that serves, in virtual time: one at a time, and none that was never heard."""

import pytest

from mms_server.redundancy.messages import Role, Status
from mms_server.redundancy.roles import STATUS_S, RoleElection

UTC = 1_800_000_000_000_000_000
A, B = "10.0.0.1:5563", "10.0.0.2:5563"


class Two:
    """Two gateways and the network between them; `lives` for those that run, `cut` if none hears the other."""

    def __init__(self, *, first: tuple[bool, bool] = (True, False)) -> None:
        self.now = 0.0
        self._first = first
        self.cut = False
        self.lives = [False, False]
        self.pairs = [self._made(0), self._made(1)]

    def _made(self, which: int) -> RoleElection:
        return RoleElection((A, B)[which], first=self._first[which], takeover_after_s=3.0, now=self.now)

    def start(self, which: int) -> None:
        self.pairs[which], self.lives[which] = self._made(which), True

    def end(self, which: int, *, in_order: bool = False) -> None:
        self.lives[which] = False
        if in_order:
            status = self.pairs[which].status()
            self.pairs[1 - which].heard(
                Status(status.name, Role.ENDED, status.term, status.first), self.now, self.utc_ns
            )

    @property
    def utc_ns(self) -> int:
        return UTC + int(self.now * 1e9)

    def wait(self, seconds: float) -> None:
        for _ in range(int(seconds / STATUS_S)):
            self.now += STATUS_S
            for which, pair in enumerate(self.pairs):
                if self.lives[which]:
                    pair.tick(self.now, self.utc_ns)
                    if self.lives[1 - which] and not self.cut:
                        self.pairs[1 - which].heard(pair.status(), self.now, self.utc_ns)

    @property
    def roles(self) -> list[Role | None]:
        return [pair.role if lives else None for pair, lives in zip(self.pairs, self.lives, strict=True)]


@pytest.fixture
def two() -> Two:
    """A serves, B stands by."""
    both = Two()
    both.start(0)
    both.start(1)
    both.wait(1)
    assert both.roles == [Role.ACTIVE, Role.STANDBY]
    both.pairs[1].whole = True
    return both


def test_the_first_begins_alone_after_it_has_listened_for_as_long_as_a_silence_lasts() -> None:
    both = Two()
    both.start(0)
    both.wait(2.5)
    assert both.roles == [Role.WAITING, None]
    both.wait(0.5)
    assert both.roles == [Role.ACTIVE, None]


def test_the_other_one_never_takes_over_from_whom_it_has_not_heard() -> None:
    both = Two()
    both.start(1)
    both.wait(3600)
    assert both.roles == [None, Role.WAITING]


@pytest.mark.parametrize("starts_first", [0, 1])
def test_of_two_that_may_begin_alone_one_does(starts_first: int) -> None:
    both = Two(first=(True, True))
    both.start(starts_first)
    both.start(1 - starts_first)
    both.wait(1)
    assert both.roles == [Role.ACTIVE, Role.STANDBY]


@pytest.mark.conformance("GW-10")
def test_silence_hands_over_and_nothing_hands_back(two: Two) -> None:
    two.end(0)
    two.wait(2.5)
    assert two.roles == [None, Role.STANDBY]
    two.wait(0.5)
    assert two.roles == [None, Role.ACTIVE]
    two.start(0)
    two.wait(600)
    assert two.roles == [Role.STANDBY, Role.ACTIVE]
    two.end(1)
    two.wait(3)
    assert two.roles == [Role.ACTIVE, None]


def test_an_end_in_order_hands_over_at_once(two: Two) -> None:
    two.end(0, in_order=True)
    assert two.roles == [None, Role.ACTIVE]


def test_one_that_comes_back_within_the_silence_finds_the_other_one_serving(two: Two) -> None:
    two.end(0)
    two.wait(1)
    two.start(0)
    two.wait(1)
    assert two.roles == [Role.STANDBY, Role.ACTIVE]


def test_without_a_whole_copy_the_one_that_comes_back_serves_again(two: Two) -> None:
    two.pairs[1].whole = False
    two.end(0)
    two.wait(1)
    two.start(0)
    two.wait(1)
    assert two.roles == [Role.ACTIVE, Role.STANDBY]


def test_after_a_cut_in_the_network_the_one_that_took_over_stays(two: Two) -> None:
    two.cut = True
    two.wait(10)
    assert two.roles == [Role.ACTIVE, Role.ACTIVE]  # two of them cannot know of each other
    two.cut = False
    two.wait(1)
    assert two.roles == [Role.STANDBY, Role.ACTIVE]


def test_a_clock_that_is_behind_takes_over_all_the_same() -> None:
    ahead = Status(A, Role.ACTIVE, UTC + 3600 * 10**9, first=True)
    pair = RoleElection(B, first=False, takeover_after_s=3.0, now=0.0)
    assert pair.heard(ahead, 1.0, UTC) is Role.STANDBY
    assert pair.tick(4.0, UTC) is Role.ACTIVE
    assert pair.heard(ahead, 4.5, UTC) is Role.ACTIVE
    assert pair.status() == Status(B, Role.ACTIVE, ahead.term + 1, first=False)


def test_a_standby_is_no_reason_to_begin_and_no_reason_not_to() -> None:
    standby = Status(B, Role.STANDBY, 1, first=False)
    pair = RoleElection(A, first=True, takeover_after_s=3.0, now=0.0)
    assert pair.heard(standby, 1.0, UTC) is Role.WAITING
    assert pair.tick(3.0, UTC) is Role.ACTIVE
    assert pair.heard(standby, 3.5, UTC) is Role.ACTIVE
