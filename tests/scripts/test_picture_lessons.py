"""The lessons of the image and the feature proposer: every answer is true of what is shown."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from scripts.nano.vision import image_lessons, llava_lessons, pair_pool
from scripts.nano.vision.confusion import matrix, said, summary
from scripts.nano.vision.differences import (
    FEWEST,
    MOST,
    Singles,
    difference,
    from_pair,
    tail_of,
)
from scripts.nano.vision.pool import Pool, codes_of
from scripts.nano.vision.truths import all_true
from visdiff_local import prompts
from visdiff_local.bench.scenes.language.understanding import understand
from visdiff_local.bench.scenes.world import is_held_out, sample_scene
from visdiff_local.models.paths import BUNDLED


@pytest.fixture(scope="module")
def singles() -> Singles:
    """Scenes alone: no lesson looks at a picture."""
    rng = np.random.default_rng(1)
    codes = np.array([codes_of(sample_scene(rng)) for _ in range(3000)])
    nothing = np.zeros((len(codes), 1, 1, 3), np.uint8)
    return Singles(Pool(nothing, codes, nothing[..., 0]), len(codes))


def test_what_a_lesson_says_is_true_of_all_of_a_and_of_none_of_b(singles: Singles) -> None:
    rng, names = np.random.default_rng(2), set()
    for _ in range(150):
        lesson = singles.lesson(rng)
        assert min(len(lesson.a), len(lesson.b)) >= FEWEST
        assert max(len(lesson.a), len(lesson.b)) <= MOST
        told = understand(lesson.words)
        assert told, lesson.words
        assert all_true(told, singles.pool.codes[lesson.a]).all(), lesson.words
        assert not all_true(told, singles.pool.codes[lesson.b]).any(), lesson.words
        names |= {name for name, _ in told}
    assert {"kind", "setting", "colour", "weather", "facing"} <= names


def test_two_pictures_are_told_apart_by_what_they_show(singles: Singles) -> None:
    rng, codes = np.random.default_rng(3), singles.pool.codes
    pairs, said = image_lessons.Pairs(singles, questions=4), set()
    for _ in range(60):
        rows = pairs.rows(rng)
        for own, other in (rows, rows[::-1]):
            phrases = pairs.differences(own, other)
            assert len(phrases) <= image_lessons.MOST_SAID
            for phrase in phrases:
                told = understand(phrase)
                assert told, phrase
                assert all_true(told, codes[[own]])[0], phrase
                assert not all_true(told, codes[[other]])[0], phrase
            said.update(phrases)
    assert len(said) > 20


def test_alike_pictures_differ_in_nothing(singles: Singles) -> None:
    pairs = image_lessons.Pairs(singles, questions=0)
    assert pairs.differences(3, 3) == []
    asked = dict(pairs.branches((3, 3), np.random.default_rng(0)))
    assert asked["describe image 1 but not image 2."] == "nothing"
    assert asked["describe image 1."] == asked["describe image 2."]


def test_questions_about_one_of_two_pictures_have_true_answers(singles: Singles) -> None:
    rng, pairs = np.random.default_rng(8), image_lessons.Pairs(singles, questions=6)
    answers = []
    for _ in range(30):
        rows = pairs.rows(rng)
        for asked, answer in pairs.branches(rows, rng)[4:]:
            place, text = asked.removeprefix("does image ")[:-1].split(" contain ", 1)
            told = understand(text)
            assert told, text
            codes = singles.pool.codes[[rows[int(place) - 1]]]
            assert answer == ("yes" if all_true(told, codes)[0] else "no"), asked
            answers.append(answer)
    assert 0.2 < answers.count("yes") / len(answers) < 0.9


def test_the_prompt_is_what_the_bundled_model_is_asked() -> None:
    """The chat template and the processor of the folder make the very same token ids."""
    from transformers import LlavaProcessor

    processor = LlavaProcessor.from_pretrained(BUNDLED / "nano-llava", local_files_only=True)
    asked = prompts.render("image_propose_multi", "nano-llava", n=10, goal="", n_a=1, n_b=1, rows=1)
    content = [*[{"type": "image"}] * 2, {"type": "text", "text": asked}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    pictures = [np.zeros((96, 96, 3), np.uint8)] * 2
    made = processor(images=pictures, text=[text], return_tensors="pt").input_ids[0].tolist()
    lessons = image_lessons.Prompts(processor.tokenizer)
    assert lessons.prompt(asked) == made
    trained = lessons.batch([[(asked, "a dog")]])[0][0].tolist()
    assert trained[: len(made)] == made
    assert asked == image_lessons.ASKED.format(one=1, other=2)


def test_drawn_pairs_come_from_training_combinations(tmp_path: Path) -> None:
    pair_pool.draw_pairs(tmp_path, pairs=3, n=4, seed=6, workers=1)
    pairs = pair_pool.open_pairs(tmp_path)
    assert (len(pairs), len(pairs.pool)) == (3, 24)
    for index in range(len(pairs.pool)):
        scene = pairs.pool.scene(index)
        assert not is_held_out(scene.kind, scene.setting)
    for pair in range(3):
        assert pairs.pool.images[pairs.rows(pair, 1)].any()
        lesson = from_pair(pairs, pair, np.random.default_rng(pair), pure=True)
        told = understand(lesson.words)
        assert told
        assert all_true(told, pairs.pool.codes[lesson.a]).all()
        assert lesson.words in pairs.truths[pair]


def test_the_difference_is_of_means() -> None:
    from scripts.nano.vision.differences import Lesson

    features = np.random.default_rng(0).normal(size=(9, 5, 4)).astype(np.float16)
    lesson = Lesson(np.array([7, 1, 3]), np.array([0, 8]), "x")
    expected = features[[1, 3, 7]].astype(float).mean(0) - features[[0, 8]].astype(float).mean(0)
    np.testing.assert_allclose(difference(features, lesson).numpy(), expected, atol=1e-6)


def test_the_tail_of_a_pool_is_its_last_pictures(singles: Singles) -> None:
    tail = tail_of(singles.pool, 3000, 100)
    assert len(tail) == 100
    assert (tail.codes == singles.pool.codes[-100:]).all()


def test_confusions_are_counted_by_kind() -> None:
    assert said("two red dogs wearing hats on a beach") == "dog"
    assert said("in the snow") == "nothing"
    found = matrix(["cow"] * 4 + ["dog"] * 4, ["elephant"] * 3 + ["cow"] + ["dog"] * 4)
    assert summary(found) == "0.625 of 8; cow for elephant 0.75"


def test_old_lessons_ask_as_the_bundled_model_is_asked(singles: Singles) -> None:
    from transformers import LlavaProcessor

    processor = LlavaProcessor.from_pretrained(BUNDLED / "nano-llava", local_files_only=True)
    features = np.zeros((2, llava_lessons.PATCHES, 4), np.float16)
    lessons = llava_lessons.Lessons(singles.pool, features, processor.tokenizer, 0, questions=3)
    _, ids, targets, _, branch = lessons.batch(np.array([1]))
    for number in range(1, 5):
        text = processor.tokenizer.decode(ids[0][branch[0] == number])
        asked = text[: text.index(llava_lessons.TAIL)].strip()
        whole = f"{llava_lessons.HEAD}{asked}{llava_lessons.TAIL}"
        pictures = [np.zeros((96, 96, 3), np.uint8)]
        made = processor(images=pictures, text=[whole], return_tensors="pt").input_ids[0].tolist()
        told = int((targets[0][branch[0] == number] != -100).sum())
        seen = ids[0][branch[0] <= 0][: len(lessons.prefix)].tolist()
        assert seen + ids[0][branch[0] == number][:-told].tolist() == made, asked
