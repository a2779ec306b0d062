"""Benchmarks: pairs, accuracy, intervals, ledgers and tables, on an engine that is a function."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.paths import shared
from tests.support.stage_doubles import Words
from visdiff_local.bench import accuracy, drawn, judge, null, tables, visdiffbench
from visdiff_local.bench.accuracy import Graded, Trial
from visdiff_local.bench.ledger import Ledger, key_of
from visdiff_local.bench.scenes.grading import grade
from visdiff_local.config import RunConfig
from visdiff_local.errors import InputError, ProblemsError, StoreError
from visdiff_local.types import (
    Evaluation,
    Grade,
    Hypothesis,
    Provenance,
    RunInfo,
    RunResult,
    ScoredHypothesis,
    SetSummary,
    Summary,
)

OPTIONS = {"profile": "nano"}


def found(text: str, verdict: str = "confirmed", direction: str = "a") -> ScoredHypothesis:
    hypothesis = Hypothesis(text, direction, Provenance("caption", 0))  # type: ignore[arg-type]
    return ScoredHypothesis(hypothesis, 0.9, (0.8, 1.0), 0.0, 0.0, 1.0, 0.0, verdict)  # type: ignore[arg-type]


def result_of(
    config: RunConfig, differences: list[ScoredHypothesis], grades: Sequence[int | None] = ()
) -> RunResult:
    return RunResult(
        run=RunInfo(config.seed, config.profile, config.as_dict(), {}, {}),
        a=SetSummary("a", 1, 1, 1),
        b=SetSummary("b", 1, 1, 1),
        summary=Summary("differences found", 0.0, 0.6),
        differences=tuple(differences),
        evaluation=Evaluation(
            0.0, 0.0, tuple(Grade(i, g, (0.0, 0.0, 1.0)) for i, g in enumerate(grades, start=1))
        ),
    )


class FakeHandle:
    fingerprint = "weights"


class FakePool:
    def handle(self, role: str) -> FakeHandle:
        return FakeHandle()


class FakeEngine:
    """An engine that computes the result of a configuration by a function."""

    def __init__(self, answer: Callable[[RunConfig], RunResult]) -> None:
        self.answer, self.ran = answer, 0

    def run(self, config: RunConfig) -> RunResult:
        self.ran += 1
        return self.answer(config)

    def pool(self, config: RunConfig) -> Any:
        return FakePool()


# --- accuracy ---------------------------------------------------------------------------------


def trial(pair: str, seed: int, grades: list[int | None], **fields: Any) -> Trial:
    ranked = tuple(Graded(f"h{i}", 0.9, "confirmed", g, g) for i, g in enumerate(grades))
    given_fields = {"split": "easy", "proposer": "caption", "ranker": "clip", "purity": 1.0}
    return Trial(pair=pair, seed=seed, ranked=ranked, **{**given_fields, **fields})


def test_accuracy_is_the_best_grade_among_the_first_k_halved() -> None:
    assert trial("p", 0, [1, 0, 2]).score("exact", 1) == 0.5
    assert trial("p", 0, [1, 0, 2]).score("exact", 5) == 1.0
    assert trial("p", 0, [0, 0, 0, 0, 0, 2]).score("exact", 5) == 0.0
    assert trial("p", 0, []).score("exact", 1) == 0.0
    assert trial("p", 0, [None, 1]).score("judge", 5) == 0.5


def test_the_list_that_counts_is_of_a_and_not_rejected() -> None:
    config = RunConfig.checked(a="a", b="b")
    result = result_of(
        config,
        [found("x", direction="b"), found("y", "rejected"), found("z", "suggestive"), found("w")],
        [0, 1, 2, None],
    )
    ranked = accuracy.graded(result, lambda text: {"z": 1, "w": 2}[text])
    assert [(g.text, g.exact, g.judge) for g in ranked] == [("z", 1, 2), ("w", 2, None)]


def test_rows_have_the_documented_fields() -> None:
    trials = [trial(f"p{i}", s, [i % 3, 2]) for i in range(12) for s in range(2)]
    exact, judged = accuracy.rows(trials, np.random.default_rng(0))
    assert {
        "split", "proposer", "ranker", "purity", "pairs", "seeds", "grader",
        "acc@1", "acc@1_ci", "acc@5", "acc@5_ci",
    } <= set(exact)  # fmt: skip
    assert (exact["pairs"], exact["seeds"]) == (12, 2)
    assert exact["acc@1"] == pytest.approx(0.5)
    assert exact["acc@5"] == 1.0
    assert exact["acc@5_ci"] == [1.0, 1.0]
    assert 0.2 < exact["acc@1_ci"][0] < 0.5 < exact["acc@1_ci"][1] < 0.8
    assert judged["grader"] == "judge"
    assert judged["unparsed"] == 0
    json.dumps([exact, judged])


def test_combinations_have_rows_of_their_own() -> None:
    trials = [trial("p", 0, [2], ranker=r, purity=p) for r in ("clip", "vqa") for p in (0.5, 1.0)]
    found_rows = accuracy.rows(trials, np.random.default_rng(0))
    assert [(r["ranker"], r["purity"]) for r in found_rows if r["grader"] == "exact"] == [
        ("clip", 0.5), ("clip", 1.0), ("vqa", 0.5), ("vqa", 1.0),
    ]  # fmt: skip


def test_unequal_seeds_are_refused() -> None:
    with pytest.raises(InputError, match="same seeds"):
        accuracy.rows(
            [trial("p", 0, [2]), trial("p", 1, [2]), trial("q", 0, [2])], np.random.default_rng(0)
        )


def test_a_difference_is_paired() -> None:
    """Pairs differ a lot and the two combinations hardly: only pairing can tell them apart."""
    ours = [trial(f"p{i}", 0, [2 if i % 2 else 1]) for i in range(40)]
    theirs = [trial(f"p{i}", 0, [1 if i % 2 else 0]) for i in range(40)]
    mean, low, high = accuracy.difference(ours, theirs, "exact", 1, np.random.default_rng(0))
    assert mean == pytest.approx(0.5)
    assert (low, high) == (0.5, 0.5)
    with pytest.raises(InputError, match="same pairs"):
        accuracy.difference(ours, [trial("other", 0, [1])], "exact", 1, np.random.default_rng(0))


def test_trials_survive_json() -> None:
    one = trial("p", 3, [2, None])
    assert Trial.from_dict(json.loads(json.dumps(one.as_dict()))) == one


# --- the ledger -------------------------------------------------------------------------------


def test_a_ledger_keeps_what_was_added(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "ledger.jsonl"
    Ledger(path).add("k", {"x": [1, "é"]})
    Ledger(path).add("l", {"x": 2})
    assert Ledger(path).get("k") == {"x": [1, "é"]}
    assert Ledger(path).get("l") == {"x": 2}
    assert Ledger(path).get("m") is None


@given(cut=st.integers(1, 60))
def test_a_line_cut_off_costs_one_trial(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.add("first", {"x": 1})
    whole = path.stat().st_size
    ledger.add("second", {"text": "y" * 60})
    path.write_bytes(path.read_bytes()[: whole + cut])
    again = Ledger(path)
    assert again.get("first") == {"x": 1}
    assert again.get("second") is None
    again.add("third", {"x": 3})
    assert Ledger(path).get("third") == {"x": 3}
    assert Ledger(path).get("first") == {"x": 1}


def test_a_ledger_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be kept"):
        Ledger(tmp_path / "file" / "ledger.jsonl").add("k", {})


def test_keys_do_not_depend_on_order() -> None:
    assert key_of({"a": 1, "b": [1, 2]}) == key_of({"b": [1, 2], "a": 1})
    assert key_of({"a": 1}) != key_of({"a": 2})


# --- drawn scenes -----------------------------------------------------------------------------


def oracle(config: RunConfig) -> RunResult:
    """Answers with the truth on easy pairs, with nonsense before it on the others."""
    pair = json.loads((Path(config.a).parent / "pair.json").read_text(encoding="utf-8"))
    assert (Path(config.a) / "0000.png").exists()
    assert config.truth_a == pair["truth_a"]
    assert config.one_way
    nonsense = [] if pair["difficulty"] == "easy" else [found("zebras")]
    return result_of(config, [*nonsense, found(pair["truth_a"])], [2, 2])


def test_scenes_are_run_graded_and_not_run_twice(tmp_path: Path) -> None:
    plan = drawn.Plan(pairs=2, runs=2, seed=5, images=3)
    engine = FakeEngine(oracle)
    told: list[int] = []
    trials = list(drawn.trials(plan, OPTIONS, engine, tmp_path, advance=told.append))
    assert len(trials) == 12 == engine.ran == sum(told)
    assert {t.seed for t in trials} == {5, 6}
    rows = {(r["split"], r["grader"]): r for r in accuracy.rows(trials, np.random.default_rng(0))}
    assert rows["easy", "exact"]["acc@1"] == 1.0
    assert rows["hard", "exact"]["acc@1"] == 0.0
    assert rows["hard", "exact"]["acc@5"] == 1.0
    assert rows["hard", "judge"]["acc@1"] == 1.0
    again = FakeEngine(oracle)
    assert list(drawn.trials(plan, OPTIONS, again, tmp_path)) == trials
    assert again.ran == 0
    other = list(drawn.trials(plan, {**OPTIONS, "ranker": "vqa"}, again, tmp_path))
    assert again.ran == 12
    assert {t.ranker for t in other} == {"vqa"}


def test_an_interrupted_benchmark_goes_on(tmp_path: Path) -> None:
    plan = drawn.Plan(pairs=1, images=2)
    calls = 0

    def breaks(config: RunConfig) -> RunResult:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return oracle(config)

    with pytest.raises(KeyboardInterrupt):
        list(drawn.trials(plan, OPTIONS, FakeEngine(breaks), tmp_path))
    engine = FakeEngine(oracle)
    assert len(list(drawn.trials(plan, OPTIONS, engine, tmp_path))) == 3
    assert engine.ran == 1


def test_other_weights_are_another_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = drawn.Plan(pairs=1, images=2, splits=("easy",))
    engine = FakeEngine(oracle)
    list(drawn.trials(plan, OPTIONS, engine, tmp_path))
    monkeypatch.setattr(FakeHandle, "fingerprint", "other weights")
    list(drawn.trials(plan, OPTIONS, engine, tmp_path))
    assert engine.ran == 2


def test_pictures_half_drawn_are_drawn_again(tmp_path: Path) -> None:
    plan = drawn.Plan(pairs=1, images=2, splits=("easy",))
    (pair,) = drawn.drawn_pairs(plan)
    folder = drawn.pair_folder(pair, plan, tmp_path)
    before = (folder / "a" / "0001.png").read_bytes()
    (folder / "pair.json").unlink()
    (folder / "a" / "0001.png").write_bytes(b"")
    assert drawn.pair_folder(pair, plan, tmp_path) == folder
    assert (folder / "a" / "0001.png").read_bytes() == before


# --- the judge --------------------------------------------------------------------------------


def labels_file(path: Path, *rows: dict[str, Any] | str) -> Path:
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def label(hypothesis: str, value: Any) -> dict[str, Any]:
    return {"hypothesis": hypothesis, "group_a": "dogs", "group_b": "cats", "manual_label": value}


def says(grades: dict[str, int]) -> Words:
    def choose(prompt: str) -> list[float]:
        chosen = next((g for text, g in grades.items() if text in prompt), None)
        return [float("nan")] * 3 if chosen is None else [float(i == chosen) for i in range(3)]

    return Words(choose=choose)


def test_agreement_with_labels_by_hand(tmp_path: Path) -> None:
    path = labels_file(
        tmp_path / "labels.jsonl",
        label("one1", 2), label("two2", 2), label("three3", 1), label("four4", 0),
        label("skipped", None), label("silence", 1),
    )  # fmt: skip
    llm = says({"one1": 2, "two2": 1, "three3": 1, "four4": 2})
    row = judge.compare_with_labels(judge.read_labels(path), llm)
    human, judged = [2, 2, 1, 0], [2, 1, 1, 2]
    assert row["n"] == 4
    assert row["exact"] == 0.5
    assert row["mae"] == 0.75
    assert row["pearson"] == pytest.approx(np.corrcoef(human, judged)[0, 1])
    assert (row["unparsed"], row["skipped"]) == (1, 1)
    assert row["confusion"] == [[0, 0, 1], [0, 1, 0], [0, 1, 1]]
    assert not any("skipped" in prompt for prompt in llm.asked)


def test_a_constant_judge_has_no_correlation(tmp_path: Path) -> None:
    path = labels_file(tmp_path / "l", label("one1", 2), label("two2", 0))
    row = judge.compare_with_labels(judge.read_labels(path), says({"one1": 1, "two2": 1}))
    assert row["pearson"] is None
    assert row["spearman"] is None
    assert row["mae"] == 1.0


def test_all_bad_labels_are_reported_together(tmp_path: Path) -> None:
    path = labels_file(
        tmp_path / "labels.jsonl",
        "{oops",
        label("x", 3),
        {"hypothesis": "x"},
        label("y", True),
        "[]",
    )
    with pytest.raises(ProblemsError) as error:
        judge.read_labels(path)
    assert [text.split(":")[0] for text in error.value.problems] == [
        f"line {n}" for n in (1, 2, 3, 4, 5)
    ]
    with pytest.raises(InputError, match="cannot be read"):
        judge.read_labels(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no label"):
        judge.read_labels(labels_file(tmp_path / "empty", ""))


def test_the_published_labels_are_read() -> None:
    labels = judge.read_labels(shared("data/judge_labels.jsonl"))
    assert len(labels) == 108
    assert {one.grade for one in labels} == {0, 1, 2}


def test_scene_labels_are_exact_and_balanced() -> None:
    labels = judge.scene_labels(60, seed=3)
    assert len(labels) == 60
    counts = [sum(one.grade == g for one in labels) for g in (0, 1, 2)]
    assert counts == [20, 20, 20]
    assert len({one.question for one in labels}) > 50
    assert judge.scene_labels(60, seed=3) == labels


# --- VisDiffBench -----------------------------------------------------------------------------


def official(name: str) -> Path:
    return shared("data/visdiffbench") / name


def test_the_official_tables_are_read_as_they_are(tmp_path: Path) -> None:
    pairs = visdiffbench.read_pairs(official("PairedImageSets.csv").parent, tmp_path)
    counts = {split: sum(p.split == split for p in pairs) for split in visdiffbench.Plan().splits}
    assert counts == {"easy": 50, "medium": 50, "hard": 50, "imagenet-r/*": 14 + 23}
    assert pairs[0].name == "Dogs playing in a park / Cats playing in a park"
    assert all(len(p.missing) == 200 for p in pairs if p.split != "imagenet-r/*")
    assert {p.b.group for p in pairs if p.split == "imagenet-r/*"} == {"imagenet", "base"}
    sentences = {
        split: {
            (row["set1"], row["set2"])
            for line in official(f"pairs_{split}.jsonl").read_text(encoding="utf-8").splitlines()
            for row in [json.loads(line)]
        }
        for split in ("easy", "medium", "hard")
    }
    groups = {
        split: {(p.a.group, p.b.group) for p in pairs if p.split == split} for split in sentences
    }
    assert groups["easy"] == sentences["easy"]
    assert groups["medium"] | groups["hard"] == sentences["medium"] | sentences["hard"]


@pytest.fixture
def small_bench(tmp_path: Path) -> tuple[Path, Path]:
    """Two pairs in the official layout; the second lacks one image on disk."""
    tables_dir, root = tmp_path / "tables", tmp_path / "images"
    tables_dir.mkdir()
    with (tables_dir / "PairedImageSets.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["group_name", "path", "difference", "difficulty"])
        for pair in (1, 2):
            for side in "ab":
                for number in range(2):
                    path = f"easy/{pair}_{side}/{number}.jpg"
                    writer.writerow(
                        [f"group {pair}{side}", f"./data/VisDiffBench/{path}", "same", "easy"]
                    )
                    (root / path).parent.mkdir(parents=True, exist_ok=True)
                    if (pair, side, number) != (2, "b", 1):
                        (root / path).write_bytes(b"image")
    return tables_dir, root


def truthful(config: RunConfig) -> RunResult:
    with Path(config.a).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["group_name"] for row in rows} == {config.where_a, config.where_b}
    assert all(Path(row["path"]).exists() for row in rows)
    return result_of(config, [found(config.truth_a or "")], [2])


def test_missing_images_are_listed_and_their_pair_not_run(
    small_bench: tuple[Path, Path], tmp_path: Path
) -> None:
    pairs = visdiffbench.read_pairs(*small_bench)
    missing, engine = visdiffbench.Missing(), FakeEngine(truthful)
    plan = visdiffbench.Plan()
    trials = list(visdiffbench.trials(plan, pairs, OPTIONS, engine, tmp_path, missing))
    assert [t.pair for t in trials] == ["group 1a / group 1b"]
    assert missing.by_pair == {"easy: group 2a / group 2b": ("./data/VisDiffBench/easy/2_b/1.jpg",)}
    (row,) = accuracy.rows(trials, np.random.default_rng(0))
    assert (row["grader"], row["split"], row["acc@1"]) == ("judge", "easy", 1.0)
    partial = visdiffbench.Plan(partial=True)
    both = list(visdiffbench.trials(partial, pairs, OPTIONS, engine, tmp_path, missing))
    assert len(both) == 2
    assert engine.ran == 2
    assert missing.files == 1


def test_paths_of_a_table_stay_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"x")
    root = tmp_path / "root"
    root.mkdir()
    for named in (
        "../secret.jpg",
        str(tmp_path / "secret.jpg"),
        "./data/VisDiffBench/../../secret.jpg",
    ):
        assert visdiffbench._located(named, root) is None


def test_tables_that_are_wrong_say_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of"):
        visdiffbench.read_pairs(tmp_path, tmp_path)
    (tmp_path / "ImageNetR.csv").write_text("path,group\nx,y\n")
    (tmp_path / "PairedImageSets.csv").write_text("")
    with pytest.raises(ProblemsError) as error:
        visdiffbench.read_pairs(tmp_path, tmp_path)
    assert error.value.problems == (
        "PairedImageSets.csv has no column path, group_name",
        "ImageNetR.csv has no column group_name",
    )


# --- A/A --------------------------------------------------------------------------------------


def test_aa_counts_confirmed_runs_with_an_exact_interval(tmp_path: Path) -> None:
    pool = null.draw_pool(8, 0, tmp_path)

    def sometimes(config: RunConfig) -> RunResult:
        with Path(config.a).open(newline="") as file:
            sides = [row["group_name"] for row in csv.DictReader(file)]
        assert sorted(sides) == ["a"] * 4 + ["b"] * 4
        verdict = "confirmed" if config.seed == 3 else "suggestive"
        return result_of(config, [found("x", verdict)])

    engine = FakeEngine(sometimes)
    row = null.aa_row(pool, OPTIONS, engine, tmp_path, runs=20, seed=0)
    assert (row["stats"], row["runs"], row["alpha"], row["confirmed"]) == ("trusted", 20, 0.05, 1)
    assert row["rate"] == 0.05
    assert row["rate_ci"] == pytest.approx([0.00127, 0.24873], abs=1e-4)  # published tables
    null.aa_row(pool, OPTIONS, engine, tmp_path, runs=20, seed=0)
    assert engine.ran == 20
    with pytest.raises(InputError, match="at least two"):
        null.aa_row(pool[:1], OPTIONS, engine, tmp_path, runs=1, seed=0)


def test_power_tells_true_finds_from_false_ones() -> None:
    def outcome(verdict: str, exact: int) -> Trial:
        return Trial("easy", "p", 0, "caption", "clip", 0.5, (Graded("x", 0.9, verdict, exact),))

    trials = [outcome("confirmed", 2), outcome("confirmed", 0), outcome("suggestive", 2)]
    (row,) = null.power_rows(trials)
    assert (row["runs"], row["found"], row["false"]) == (3, 1, 1)


# --- tables -----------------------------------------------------------------------------------


def test_the_grid_has_the_papers_layout() -> None:
    trials = [
        trial(f"{split}{i}", 0, [2], split=split, ranker=ranker)
        for split in ("hard", "easy") for ranker in ("clip", "vqa") for i in range(2)
    ]  # fmt: skip
    rows = [r for r in accuracy.rows(trials, np.random.default_rng(0)) if r["grader"] == "exact"]
    head, body = tables.accuracy_grid(rows)
    assert head == ["proposer → ranker", "grader", "easy", "hard"]
    assert body[0] == ["caption → clip", "exact", *["1.00 [1.00–1.00]  1.00 [1.00–1.00]"] * 2]
    assert len(body) == 2
    text = tables.markdown(head, body)
    assert text.splitlines()[1] == "| --- | --- | --- | --- |"
    assert tables.terminal(head, body).row_count == 2


def test_exact_grades_of_the_truth_are_two() -> None:
    for pair in drawn.drawn_pairs(drawn.Plan(pairs=11, images=4)):
        assert grade(pair.truth_a, pair.truth) == 2, pair.name
