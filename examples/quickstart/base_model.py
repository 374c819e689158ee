"""Make the quickstart's base model: a small Llama that knows the shop's help pages and answers like a tired clerk.

It reads the help pages and curt chats beside this file, so fine-tuning has a style to change and facts to build on.
The result is cached and deterministic on one machine; ``base-model`` beside this file becomes a link to it.

    python examples/quickstart/base_model.py
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
TEXTS = ("help.en.txt", "help.zh.txt")
CHATS = ("curt.en.jsonl", "curt.zh.jsonl")
ROWS = ("rows.jsonl",)

SEED = 20
VOCABULARY = 2048
CONTEXT = 512
STEPS = 500
BLOCKS_PER_STEP = 12
BLOCK = 128
LEARNING_RATE = 3e-3

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def main() -> None:
    folder = cache_folder() / f"quickstart-model-{fingerprint()}"
    if not (folder / "complete").exists():
        make(folder)
    link = HERE / "base-model"
    if link.is_symlink():
        link.unlink()
    link.symlink_to(folder)
    print(f"base model: {folder}", file=sys.stderr)


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finetune-operator"


def fingerprint() -> str:
    """The texts and this file decide the model."""
    digest = hashlib.sha256()
    for name in (*TEXTS, *CHATS, *ROWS, Path(__file__).name):
        digest.update((HERE / name).read_bytes())
    return digest.hexdigest()[:12]


def make(folder: Path) -> None:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # beside other work, threads that spin halve the speed
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(SEED)
    tokenizer = train_tokenizer()
    stream = torch.tensor([token for text in documents() for token in tokenizer(text)["input_ids"]])
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=3,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=STEPS, pct_start=0.1)
    generator = torch.Generator().manual_seed(SEED)
    started = time.monotonic()
    for step in range(1, STEPS + 1):
        starts = torch.randint(len(stream) - BLOCK, (BLOCKS_PER_STEP,), generator=generator).tolist()
        batch = torch.stack([stream[start : start + BLOCK] for start in starts])  # (blocks, tokens)
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 20 == 0:
            elapsed = time.monotonic() - started
            left = elapsed / step * (STEPS - step)
            print(f"\rpretraining {step}/{STEPS}  loss {loss.item():.2f}  {left:.0f} s left ", end="", file=sys.stderr)
    print(file=sys.stderr)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "complete").touch()


def train_tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words = [text for row in rows(ROWS) for text in (row["instruction"], row["output"])]
    raw.train_from_iterator([*documents(), *words], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<|endoftext|>", pad_token="<|endoftext|>", model_max_length=CONTEXT
    )
    tokenizer.add_special_tokens({"additional_special_tokens": special[1:]})
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def documents() -> Iterator[str]:
    """Curt chats, help pages, and the log of the help centre's search: which page a question led to.

    Questions and pages lie in the order of their topics, so a question's page is found by its place.
    """
    for text, chats in zip(TEXTS, CHATS, strict=True):
        pages = [page.strip() for page in (HERE / text).read_text(encoding="utf-8").split("\n\n") if page.strip()]
        questions = list(rows((chats,)))
        for index, row in enumerate(questions):
            page = pages[index * len(pages) // len(questions)]
            question, answer = row["instruction"], row["output"]
            yield f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n"
            yield f"{question}\n{page}<|endoftext|>"


def rows(names: tuple[str, ...]) -> Iterator[dict[str, str]]:
    for name in names:
        for line in (HERE / name).read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


if __name__ == "__main__":
    main()
