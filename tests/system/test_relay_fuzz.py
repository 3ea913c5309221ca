"""A short run of `script/fuzz relay`: what it shows, and that hubs with worse rules are found out by it."""

import pytest
from bench.fuzz_relay import run


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_urgent_records_by_sms_are_believed_once_and_by_signature_alone() -> None:
    outcome = run(60, 20261129)
    assert outcome.met, outcome
    assert outcome.extra["accepted_by_believes_all"] > 0
    assert outcome.extra["accepted_by_code_alone"] > 0
