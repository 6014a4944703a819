#!/usr/bin/env python3
"""Render conversations through a model's chat template, a jsonl line each, for calibration.

    tools/render_chat.py MODEL CHATS.jsonl > rendered.jsonl          {"text": …, "template": …} for the reader text
    tools/render_chat.py MODEL CHATS.jsonl --ids > rendered.jsonl    {"ids": …, "template": …} for the reader ids

MODEL is a folder or an id of the Hub; a line of CHATS is a list of messages, or an object that has one as "messages".
"template" is the SHA-256 of the template, which trials record. It needs transformers.

    calibrate: { text: { files: rendered.jsonl, documents: line, whole: true, bos: false, length: 2048 } }
"""
import hashlib
import json
import sys


def main():
    model, chats, as_ids = sys.argv[1:3] + [sys.argv[3:] == ["--ids"]] if len(sys.argv) in (3, 4) else sys.exit(__doc__)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    template = hashlib.sha256(tokenizer.get_chat_template().encode()).hexdigest()
    with open(chats, encoding="utf-8") as lines:
        for line in filter(str.strip, lines):
            chat = json.loads(line)
            text = tokenizer.apply_chat_template(chat["messages"] if isinstance(chat, dict) else chat, tokenize=False)
            row = {"ids": tokenizer(text, add_special_tokens=False).input_ids} if as_ids else {"text": text}
            print(json.dumps({**row, "template": template}, ensure_ascii=False))


if __name__ == "__main__":
    main()
