"""A chat template is text, or is refused at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visdiff_local.models.backends import checksums
from visdiff_local.models.backends.templates import Bounded, RefusedTemplateError

_DOUBLING = "{% set n = namespace(s='xx') %}{% for i in range(60) %}{% set n.s = n.s OP n.s %}"


@pytest.mark.parametrize(
    "source",
    [
        "{{ 1/0 }}",
        "{{ 1 % 0 }}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in messages recursive %}{{ loop(messages) }}{% endfor %}",
        "{{ 'x' * 10000000000 }}",
        "{{ [1] * 10000000000 }}",
        "{{ 10000000000 * 'x' }}",
        "{{ 2 ** 100000000 }}",
        _DOUBLING.replace("OP", "+") + "{% endfor %}",
        _DOUBLING.replace("OP", "~") + "{% endfor %}",
        "{{ ('x' * 1000000).replace('', 'y' * 1000000) }}",
        "{{ ('x' * 1000000) | replace('x', 'y' * 1000000) }}",
        "{{ ('y' * 1000000).join(range(99999) | map('string')) }}",
        "{{ range(99999) | join('y' * 1000000) }}",
        "{{ 'x'.ljust(10000000000) }}",
        "{{ 'x'.zfill(10000000000) }}",
        "{{ 'x'.expandtabs(10000000000) }}",
        "{{ 'x' | center(10000000000) }}",
        "{{ 'a\\nb' | indent(10000000000) | length }}{{ 1/0 }}",
        "{{ '%10000000000d' % 1 }}",
        "{{ '%s' | format(1) }}",
        "{{ '{:>10000000000}'.format(1) }}",
        "{{ '{x:>10000000000}'.format_map({'x': 1}) }}",
        "{{ ().__class__.__mro__ }}",
        "{{ messages.__init__.__globals__ }}",
        "{{ lipsum(n=1000000) }}",
        "{{ range(99999999) }}",
        "{% for i in range(99999) %}{{ 'x' * 100000 }}{% endfor %}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{% if 1 %}" * 2000 + "{% endif %}" * 2000,
        "{% for i in [1] %}" * 30 + "{% endfor %}" * 30,
        "x" * 300_000,
        "{{ raise_exception('no') }}",
        "{% set x = dict(a=1) %}{{ x.update(b=2) }}",
        "{{ undefined.attribute }}",
        "{% unknown %}",
        "{{",
    ],
    ids=lambda source: source[:40],
)
def test_a_hostile_template_is_refused_at_once(source: str) -> None:
    before = checksums.time.process_time()
    with pytest.raises(RefusedTemplateError):
        Bounded(source).render(messages=[{"role": "user", "content": "a dog"}])
    assert checksums.time.process_time() - before < 8


def test_an_honest_template_is_rendered() -> None:
    source = (
        "{% generation %}{% endgeneration %}{%- for m in messages -%}"
        "{% if m['role'] == 'system' and not loop.first %}{% continue %}{% endif %}"
        "<|{{ m.role }}|>{{ m['content'] | trim }}{{ '!' ~ loop.index % 2 }}{% endfor -%}"
        "{% if strftime_now is defined %}{{ strftime_now('%d') }}{% endif %}"
        "{{ 'a b'.split()[1].upper() + 'x' * 2 }}{{ messages[0] | tojson }}"
    )
    turns = [{"role": "user", "content": " ä dog "}]
    made = Bounded(source).render(messages=turns)
    assert made == '<|user|>ä dog!1Bxx{"role": "user", "content": " ä dog "}'


@given(st.text(st.sampled_from("{}%#-() .|~+*'\"ab1messagesforinifend\n"), max_size=80))
def test_any_template_is_text_or_refused(source: str) -> None:
    try:
        made = Bounded(source).render(messages=[{"role": "user", "content": "a"}])
    except RefusedTemplateError:
        return
    assert isinstance(made, str)
