"""Why a mutant that no test sees is no bug: one sentence for each, by module and mutant name."""

_HORIZON_OF_BACKOFF = "100 ms · 2^19 is beyond the limit of 30 s already; the number only keeps the power small."
_SETTLED_IS_LATER = "The other side of `max` is a time of this century."
_FALSY = "Everybody asks only whether it is true."
_IS_OVER = "Ending an ended success once more gives the same ending; only a due time that no action waits for any more is set back to 0."
_HAS_CLAIMED = "Reached only with an attempt of this generation, and its first valid claim says how many there may be."
_GIVEN_UP_AGAIN = "The condition only saves work: giving up what was given up already makes an equal state."
_ENDED_BY_EFFECT = "An effect ends the current generation at its own offset, so that it has an ending wherever one was applied."
_NEVER_REACHED = "An effect ends the current generation at its own offset, so a claim after it has been refused two questions earlier."

_EFFECT = "step.has(AttemptState.APPLIED) or step.has(AttemptState.PARTIAL)"
_ENDED_OR_EFFECT = f"_apply_to_merely_known: current.ending is not None or {_EFFECT}"
_IN_DOUBT = "verdict(step).status is Status.IN_DOUBT"

EXPLAINED: dict[str, dict[str, str]] = {
    "enact.execution": {
        "_open: step.generation.digest or claim.request_digest → (claim.request_digest)": (
            "A valid claim names the digest that its generation has already, or is its first."
        ),
        "_release: 20 → 21": _HORIZON_OF_BACKOFF,
        "_release: 20 → (19)": _HORIZON_OF_BACKOFF,
        "_learn: 0 → 1": _SETTLED_IS_LATER,
        "_learn: 0 → (-1)": _SETTLED_IS_LATER,
        "_learn: is_persons_denial and attempt.generation == step.generation.number and step.generation.ending is None"
        " → (is_persons_denial and step.generation.ending is None)": (
            "A person may deny only an UNKNOWN attempt, and a redrive is refused while there is one: it is of the current generation."
        ),
        "_may_deny: return False → return None": _FALSY,
        "_end_if_due: Status.SUCCEEDED → Status.EXECUTING": _IS_OVER,
        "_end_if_due: step if is_over else _end(step, Ending(status=Status.SUCCEEDED)) → (_end(step, Ending(status=Status.SUCCEEDED)))": (
            _IS_OVER
        ),
        "_end_if_due: step.max_attempts or 0 → (step.max_attempts)": _HAS_CLAIMED,
        "_end_if_due: 0 → 1": _HAS_CLAIMED,
        "_end_if_due: 0 → (-1)": _HAS_CLAIMED,
        "_give_up: a.is_given_up and a.state is AttemptState.UNKNOWN → (a.is_given_up)": (
            "Of the attempts that are not settled only UNKNOWN ones are ever given up."
        ),
        "_give_up: a.state is AttemptState.UNKNOWN → (a.state is not AttemptState.UNKNOWN)": _GIVEN_UP_AGAIN,
        "_give_up: AttemptState.UNKNOWN → AttemptState.OPEN": _GIVEN_UP_AGAIN,
        "_apply_to_merely_known: step.unsettled_attempts → (step.unknown_attempts)": (
            "`_give_up` ran before: nothing of an execution that is merely known is open."
        ),
        f"{_ENDED_OR_EFFECT} → (current.ending is not None or step.has(AttemptState.PARTIAL))": (_ENDED_BY_EFFECT),
        f"{_ENDED_OR_EFFECT} → (current.ending is not None or step.has(AttemptState.APPLIED))": (_ENDED_BY_EFFECT),
        "_apply_to_merely_known: AttemptState.PARTIAL → AttemptState.UNKNOWN": (
            "What was UNKNOWN has just been denied, and an effect has ended the generation at its own offset."
        ),
        f"claim_refusal: {_EFFECT} → False": _NEVER_REACHED,
        f"claim_refusal: {_EFFECT} → (step.has(AttemptState.APPLIED) and step.has(AttemptState.PARTIAL))": _NEVER_REACHED,
        f"claim_refusal: {_EFFECT} → (step.has(AttemptState.PARTIAL))": _NEVER_REACHED,
        f"claim_refusal: {_EFFECT} → (step.has(AttemptState.APPLIED))": _NEVER_REACHED,
        'claim_refusal: return "something was applied" → return None': _NEVER_REACHED,
        "claim_refusal: \"something was applied\" → 'another text'": _NEVER_REACHED,
        "claim_refusal: a.state is AttemptState.UNKNOWN and a.allows_repeat and a.digest == claim.request_digest"
        " → (a.state is AttemptState.UNKNOWN and a.allows_repeat)": (
            "A redrive is refused while an attempt is not settled: each is of this generation and has its digest, compared before."
        ),
        "is_automatic_step_left: step.max_attempts or 0 → (step.max_attempts)": _HAS_CLAIMED,
        "is_automatic_step_left: 0 → 1": _HAS_CLAIMED,
        "is_automatic_step_left: 0 → (-1)": _HAS_CLAIMED,
        "_is_contradiction: return False → return None": _FALSY,
    },
    "enact.next_action": {
        "ActionKind: \"TAKE_OVER\" → 'another text'": "The value is written nowhere; everybody compares members.",
        "next_action: step.unknown_attempts → (step.unsettled_attempts)": "A step with an open attempt has been answered before.",
        "next_action: 0 → (-1)": "A due time is 0 or a time of this century, and the larger of the two counts.",
        f"deadline_ms: step.has(AttemptState.UNKNOWN) and {_IN_DOUBT} → ({_IN_DOUBT})": (
            "Only a step with an UNKNOWN attempt is in doubt; asking for one first saves working out the verdict."
        ),
    },
}
