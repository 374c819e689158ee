"""A row of each format to an example."""

from finetune_core.data.example import Example, Message, Role, WrongSchema
from finetune_core.data.formats.fields import Fields
from finetune_core.data.formats.tools import read_tools
from finetune_core.data.formats.turns import Turns

OPENAI = Turns("role", "content")
SHAREGPT = Turns("from", "value")


def read_alpaca(number: int, row: Fields) -> Example:
    """``instruction``, ``input``, ``output``; ``history`` has the turns before."""
    messages = _history(row) if row.get("history") else []
    # Joined as LLaMA-Factory joins them (its Alpaca converter), so that a model answers alike wherever it was trained.
    question, matter = row.text("instruction"), row.optional_text("input")
    messages.append(Message("user", f"{question}\n{matter}" if question and matter else question or matter))
    messages.append(Message("assistant", row.text("output")))
    return _conversation(number, row, messages)


def read_conversations(number: int, row: Fields) -> Example:
    """``conversations`` of role and content."""
    return _conversation(number, row, OPENAI.read("conversations", row))


def read_sharegpt(number: int, row: Fields) -> Example:
    """``conversations`` of from and value."""
    return _conversation(number, row, SHAREGPT.read("conversations", row))


def read_messages(number: int, row: Fields) -> Example:
    """``messages`` of role and content."""
    return _conversation(number, row, OPENAI.read("messages", row))


def read_prompt_completion(number: int, row: Fields) -> Example:
    """``prompt`` and ``completion``, each a text or messages; only the completion is meant to be learned."""
    messages = _said(row, "prompt", "user")
    for place, message in enumerate(messages):
        if message.role == "assistant":
            messages[place] = message._replace(trained=False)
    return _conversation(number, row, messages + _said(row, "completion", "assistant"))


def read_text(number: int, row: Fields) -> Example:
    """``text``, to be learned as it stands."""
    return Example(number, (Message("assistant", row.text("text")),), plain=True)


def _history(row: Fields) -> list[Message]:
    messages = []
    for number, turn in enumerate(row.listing("history")):
        if not (isinstance(turn, list) and len(turn) == 2 and all(isinstance(text, str) for text in turn)):
            raise WrongSchema(f"{row.column('history')}[{number}] is not a pair of texts, [user, assistant]")
        messages += [Message("user", turn[0]), Message("assistant", turn[1])]
    return messages


def _said(row: Fields, name: str, role: Role) -> list[Message]:
    """A field that is either text, of this role, or a list of messages."""
    return OPENAI.read(name, row) if isinstance(row.get(name), list) else [Message(role, row.text(name))]


def _conversation(number: int, row: Fields, messages: list[Message]) -> Example:
    """With what may stand beside the turns of any format: ``system`` and ``tools``."""
    for message in messages:  # which takes a third of any()'s time
        if message.role == "user":
            break
    else:
        raise WrongSchema("there is no message of the user")
    if system := row.optional_text("system"):
        turns = [message.content for message in messages if message.role == "system"]
        if turns and turns != [system]:
            raise WrongSchema(f"field {row.column('system')!r} and a turn of 'system' are both there: keep one of them")
        if not turns:
            messages.insert(0, Message("system", system))
    return Example(number, tuple(messages), read_tools(row))
