"""Real weights of your own on your own images: what does the loop find, and how long does it take?

    python scripts/recipes/real.py --models MODELS.toml --weights DIR --profile NAME
        --captioned TABLE.csv --truth-a WORDS --truth-b WORDS
        --photos TABLE.csv --a CONDITION --b CONDITION --texts "a cat" "a dog"

``--captioned``: a table with ``group_name``, ``path`` and ``caption``; the language model proposes
from the captions, ranks by P(yes) over captions, and grades what was found against the truth.
``--photos``: the texts are tested on the pictures with the profile's embedder. Either may be left
out. Prints a line a difference and the seconds of each stage; ``--store`` keeps the answers, so
that the same command again asks no model.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from typing import Any

from visdiff_local import ImageSet, describe_differences, evaluate_hypotheses
from visdiff_local.api import Result

SHOWN = 5


def main(arguments: Sequence[str] | None = None) -> None:
    options = parsed(arguments)
    own = {
        name: getattr(options, name)
        for name in ("models", "weights", "profile", "llm", "store", "seed")
        if getattr(options, name) is not None
    }
    if options.captioned:
        from_captions(options, own)
    if options.photos:
        on_photographs(options, own)


def from_captions(options: argparse.Namespace, own: Mapping[str, Any]) -> None:
    began = time.perf_counter()
    result = describe_differences(
        ImageSet.open(options.captioned, options.group_a),
        ImageSet.open(options.captioned, options.group_b),
        **own,
        proposer="caption",
        ranker="caption-qa",
        truth_a=options.truth_a,
        truth_b=options.truth_b,
    )
    show("captions", result, time.perf_counter() - began)


def on_photographs(options: argparse.Namespace, own: Mapping[str, Any]) -> None:
    began = time.perf_counter()
    result = evaluate_hypotheses(
        options.texts,
        ImageSet.open(options.photos, options.a),
        ImageSet.open(options.photos, options.b),
        **own,
    )
    show("photographs", result, time.perf_counter() - began)


def show(what: str, result: Result, seconds: float) -> None:
    run = result.run
    models = ", ".join(f"{role} {info.name}" for role, info in run.run.models.items())
    print(f"{what}: {run.summary.conclusion}; {seconds:.0f} s; {models}")
    for warning in result.warnings:
        print(f"  note: {warning}")
    for direction, name in (("a", run.a.name), ("b", run.b.name)):
        print(f"  more true of {name}:")
        found = [one for one in result.differences if one.direction == direction]
        for one in found[:SHOWN]:
            print(f"    {one.auroc:.2f} {one.verdict:<12} {one.text}")
    if run.evaluation is not None:
        print(f"  judge: Acc@1 {run.evaluation.acc_at_1}, Acc@5 {run.evaluation.acc_at_5}")
    print(f"  seconds: {', '.join(f'{name} {took:.0f}' for name, took in run.seconds.items())}")


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", help="a models.toml that names the weights")
    parser.add_argument("--weights", help="the folder they lie in")
    parser.add_argument("--profile", help="of the models.toml")
    parser.add_argument("--llm", help="another language model than the profile's")
    parser.add_argument("--store", help="where answers are kept")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--captioned", help="a table with captions")
    parser.add_argument("--group-a", help="which rows are A, by group_name or condition")
    parser.add_argument("--group-b", help="likewise B")
    parser.add_argument("--truth-a", help="what A has more of")
    parser.add_argument("--truth-b", help="likewise B")
    parser.add_argument("--photos", help="a table of pictures")
    parser.add_argument("--a", help="which rows are A, such as \"kind == 'cat'\"")
    parser.add_argument("--b", help="likewise B")
    parser.add_argument("--texts", nargs="+", default=[], help="what is tested on the pictures")
    options = parser.parse_args(arguments)
    if not (options.captioned or options.photos):
        parser.error("name --captioned TABLE, --photos TABLE or both")
    if options.photos and not options.texts:
        parser.error('--photos needs --texts: what is tested, such as "a cat"')
    return options


if __name__ == "__main__":
    main()
