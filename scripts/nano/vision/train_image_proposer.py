"""Trains a finished nano-llava on: several pictures → what the first half shows more often.

Beside its old lessons, captions and questions about one picture, which it must not forget. Few
pictures come first, since they cost least.

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
from scripts.nano.vision.image_lessons import Prompts, several_loss, shown, truths_of
from scripts.nano.vision.llava_lessons import Lessons, lesson_loss
from scripts.nano.vision.loop import DEVICE, Run, half_precision, save_trained_on, timed_steps
from scripts.nano.vision.pool import open_pool
from scripts.nano.vision.train_llava import LastTokens, answers, from_finished, vision_of

TESTED = 512
"""Pictures at the end of the pool, never trained on."""
ROWS = {1: 16, 2: 8}
"""Lessons a batch, by pictures a side."""
REPLAY_EVERY, REPLAYED = 3, 8
"""A batch of the old lessons after so many new ones, of so many pictures."""


def pictures_a_side(done: float, rng: np.random.Generator) -> int:
    """One at first; mostly two from the middle of the run on."""
    return 1 if done < 0.5 or rng.random() < 0.25 else 2


@torch.no_grad()
def named(model, features, singles: Singles, tokenizer, count: int, n: int) -> list[float]:
    """Of ``n`` unseen lessons: share of true phrases that a greedy answer names, and share of its
    phrases that are true."""
    model.eval()
    rng, prompts, truths = np.random.default_rng(5), Prompts(tokenizer), truths_of(singles.pool)
    hits = said = wanted = 0
    for _ in range(n):
        lesson = shown(singles, truths, count, rng)
        ids = torch.tensor([prompts.prompt(count, count)], device=DEVICE)
        seen = torch.from_numpy(features[np.concatenate([lesson.a, lesson.b])]).float().to(DEVICE)
        pictures = model.model.multi_modal_projector(seen)
        words = model.get_input_embeddings()(ids)
        words = words.masked_scatter((ids == prompts.image)[..., None].expand_as(words), pictures)
        new = model.generate(
            inputs_embeds=words,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=48,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
        )
        got = {t.strip() for t in tokenizer.decode(new[0], skip_special_tokens=True).split("\n")}
        true = {t.strip() for t in lesson.words.split("\n")}
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
    parser.add_argument("--questions", type=int, default=8, help="a picture, in old lessons")
    parser.add_argument("--pictures", type=int, default=60_000)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    pool, work = open_pool(options.pool), options.out / "work"
    model, processor = from_finished(options.start_from)
    features = features_of(LastTokens(vision_of(model)), pool, work, "tokens", options.pictures)
    n = len(features)
    singles, unseen = Singles(pool, n - TESTED), Singles(tail_of(pool, n, TESTED), TESTED)
    old = Lessons(pool, features, processor.tokenizer, options.seed, options.questions)
    prompts, truths = Prompts(processor.tokenizer), truths_of(pool)
    run = Run(model, work / "llava.pt", options.lr, options.minutes)
    rng = np.random.default_rng((options.seed, run.steps))

    def report(lessons: int) -> dict:
        tokenizer, asked = processor.tokenizer, np.arange(n - min(TESTED, 10 * lessons), n)
        found = {
            f"{k} a side: named, true": named(
                model, features[n - TESTED :], unseen, tokenizer, k, lessons
            )
            for k in ROWS
        }
        return found | {"answers": answers(model, processor, pool, asked, 1)}

    for _ in timed_steps(run):
        if run.steps % REPLAY_EVERY == REPLAY_EVERY - 1:
            chosen = np.sort(rng.choice(n - TESTED, REPLAYED, False))
            with half_precision():
                loss = lesson_loss(model, old, old.batch(chosen))
        else:
            count = pictures_a_side(run.seconds / run.limit, rng)
            lessons = [shown(singles, truths, count, rng) for _ in range(ROWS[count])]
            with half_precision():
                loss = several_loss(model, features, lessons, prompts)
        run.step(loss)
        if run.steps % 400 == 0:
            print(run.steps, report(10), flush=True)
    result = {"steps": run.steps, "seconds": run.seconds} | report(100)
    save_trained_on(model, options.start_from, options.out)
    (work / "llava.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
