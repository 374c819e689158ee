"""Who speaks after whom."""

from finetune_core.data.checks.base import Check, stateless
from finetune_core.data.example import Example, Message, Role


def role_order(example: Example) -> str | None:
    """User and assistant take turns, after a system prompt at most, and the assistant has the last word.

    Tools answer where the assistant called them. Chat templates are written for that order: several refuse another,
    and a question at the end trains nothing.
    """
    if example.plain:
        return None
    messages = example.messages
    before: Message | None = None
    for place, message in enumerate(messages, start=1):
        expected = _next(before)
        if message.role not in expected and (place > 1 or message.role != "system"):
            return f"message {place} is of the {message.role}, where the {expected[0]}'s turn is"
        before = message
    return None if messages[-1].role == "assistant" else f"the last message is of the {messages[-1].role}"


def _next(message: Message | None) -> tuple[Role, ...]:
    """Who may speak after that message."""
    if message is None or message.role == "system":
        return ("user",)
    if message.role == "user":
        return ("assistant",)
    if message.role == "tool":
        return ("assistant", "tool")
    return ("tool",) if message.calls else ("user",)


ROLE_ORDER = Check(
    code="role-order",
    policy="warn",
    message="the turns are out of order",
    fix="join messages of the same speaker, put the system prompt first, and end with an answer",
    row=stateless(role_order),
)
