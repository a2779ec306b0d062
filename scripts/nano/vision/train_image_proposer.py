"""Trains a finished nano-llava on: two pictures → what the first shows and the other does not.

Beside its old lessons, captions and questions about one picture, which it must not forget.

    python -m scripts.nano.vision.train_image_proposer POOL OUT \
        --start-from visdiff_local/assets/nano/nano-llava --minutes 60
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from scripts.nano.vision.differences import Singles, tail_of
from scripts.nano.vision.features import features_of
from scripts.nano.vision.image_lessons import ASKED, Pairs, Prompts, pairs_loss, pictured
from scripts.nano.vision.llava_lessons import Lessons, lesson_loss
from scripts.nano.vision.loop import DEVICE, Run, half_precision, save_trained_on, timed_steps
from scripts.nano.vision.pool import open_pool
from scripts.nano.vision.train_llava import LastTokens, answers, from_finished, vision_of

TESTED = 1024
"""Pictures at the end of the pool, never trained on."""


@torch.no_grad()
def named(model, features, pairs: Pairs, prompts: Prompts, n: int) -> list[float]:
    """Of ``n`` unseen pairs: share of true phrases that a greedy answer names, and share of its
    phrases that are true."""
    model.eval()
    rng, tokenizer = np.random.default_rng(5), prompts.tokenizer
    hits = said = wanted = 0
    for _ in range(n):
        first, second = pairs.rows(rng)
        ids = torch.tensor([prompts.prompt(ASKED.format(one=1, other=2))], device=DEVICE)
        new = model.generate(
            inputs_embeds=pictured(model, features, np.array([first, second]), ids, prompts.image),
            attention_mask=torch.ones_like(ids),
            max_new_tokens=48,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
        )
        got = {t.strip() for t in tokenizer.decode(new[0], skip_special_tokens=True).split("\n")}
        true = set(pairs.differences(first, second))
        hits, said, wanted = hits + len(got & true), said + len(got), wanted + len(true)
    model.train()
    return [round(hits / wanted, 3), round(hits / said, 3)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("pool", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--start-from", type=Path, required=True, help="a finished nano-llava")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--lr", type=float, default=7e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=12, help="pairs of pictures")
    parser.add_argument("--questions", type=int, default=6, help="a pair, or a picture of old ones")
    parser.add_argument("--replay-every", type=int, default=4, help="a batch of the old lessons")
    parser.add_argument("--pictures", type=int, default=60_000)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    pool, work = open_pool(options.pool), options.out / "work"
    model, processor = from_finished(options.start_from)
    features = features_of(LastTokens(vision_of(model)), pool, work, "tokens", options.pictures)
    n = len(features)
    pairs = Pairs(Singles(pool, n - TESTED), options.questions)
    unseen = Pairs(Singles(tail_of(pool, n, TESTED), TESTED), options.questions)
    old = Lessons(pool, features, processor.tokenizer, options.seed, options.questions)
    prompts = Prompts(processor.tokenizer)
    run = Run(model, work / "llava.pt", options.lr, options.minutes)
    rng = np.random.default_rng((options.seed, run.steps))

    def report(lessons: int) -> dict:
        asked = np.arange(n - min(TESTED, 10 * lessons), n)
        return {
            "named, true": named(model, features[n - TESTED :], unseen, prompts, lessons),
            "answers": answers(model, processor, pool, asked, 1),
        }

    for _ in timed_steps(run):
        if run.steps % options.replay_every == options.replay_every - 1:
            chosen = np.sort(rng.choice(n - TESTED, options.batch, False))
            with half_precision():
                loss = lesson_loss(model, old, old.batch(chosen))
        else:
            with half_precision():
                loss = pairs_loss(model, features, pairs, prompts, options.batch, rng)
        run.step(loss)
        if run.steps % 200 == 0:
            print(run.steps, report(30), flush=True)
    result = {"steps": run.steps, "seconds": run.seconds} | report(200)
    save_trained_on(model, options.start_from, options.out)
    (work / "llava.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
