"""Who speaks after whom."""

from finetune_core.data.checks.base import Candidate, Check, stateless


def role_order(candidate: Candidate) -> str | None:
    """User and assistant take turns, after a system prompt at most, and the assistant has the last word.

    Chat templates are written for that order: several refuse another, and a question at the end trains nothing.
    """
    messages = candidate.example.messages
    start = 1 if messages[0].role == "system" else 0
    for place in range(start, len(messages)):
        role, expected = messages[place].role, ("user", "assistant")[(place - start) % 2]
        if role != expected:
            return f"message {place + 1} is of the {role}, where the {expected}'s turn is"
    return None if messages[-1].role == "assistant" else "the last message is of the user"


ROLE_ORDER = Check(
    code="role-order",
    policy="warn",
    message="the turns are out of order",
    fix="join messages of the same speaker, put the system prompt first, and end with an answer",
    row=stateless(role_order),
)
