"""Waiting for a condition, never for luck."""

import time


def until(condition, timeout_s, complaint):
    """Ask until the condition holds; fail with complaint() (text) when the time is over."""
    end = time.monotonic() + timeout_s
    pause_s = 0.005
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(complaint())
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.1)
