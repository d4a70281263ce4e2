"""Conditions answer true or false, or refuse; nothing in between counts as true."""

import threading

import pytest

from policy.expressions import ExpressionError, compile_expression

NAMES = frozenset({"inputs", "steps", "run"})


def answer(source, **values):
    return compile_expression(source, NAMES).evaluate_bool(values)


def test_a_condition_sees_the_values_it_names():
    assert answer("inputs.name == 'x' && run.number > 3", inputs={"name": "x"}, run={"number": 4})
    assert not answer("'b' in inputs.tags", inputs={"tags": ("a", "c")})
    assert answer("steps.exists(key, steps[key].state == 'failed')", steps={"build": {"state": "failed"}})


@pytest.mark.parametrize("source", ["", "   ", "inputs.", "nothing == 1", "1 +", "inputs ===", "'open", "x" * 5000])
def test_what_can_not_be_compiled_is_refused_with_a_sentence(source):
    with pytest.raises(ExpressionError) as refused:
        compile_expression(source, NAMES)
    assert str(refused.value).strip()


def test_a_misspelt_name_is_refused_with_its_place():
    with pytest.raises(ExpressionError) as refused:
        compile_expression("run.number > 1 && input.a == 1", NAMES)
    assert refused.value.line == 1
    assert refused.value.column in range(19, 27)
    assert "input" in str(refused.value)


@pytest.mark.parametrize(
    "source",
    [
        "inputs.missing == 1",
        "inputs.name",
        "run.number",
        "inputs.name + 1 == 2",
        "inputs.name.matches('(')",
        "1 / 0 == 1",
    ],
)
def test_an_answer_that_is_no_boolean_is_never_taken_for_true(source):
    with pytest.raises(ExpressionError):
        answer(source, inputs={"name": "x"}, run={"number": 1})


def test_a_value_that_was_not_given_is_null_and_not_an_accident():
    assert answer("run == null")


@pytest.mark.parametrize(
    "source",
    [
        "size([1,2,3,4,5,6,7,8,9,10].map(a, [1,2,3,4,5,6,7,8,9,10].map(b, [1,2,3,4,5,6,7,8,9,10].map(c, "
        "[1,2,3,4,5,6,7,8,9,10].map(d, [1,2,3,4,5,6,7,8,9,10].map(e, [1,2,3,4,5,6,7,8,9,10])))))) > 0",
        "(" * 1000 + "true" + ")" * 1000,
        "+".join(["1"] * 2000) + " > 0",
    ],
)
def test_an_expression_that_would_take_for_ever_is_cut_short(source):
    with pytest.raises(ExpressionError):
        answer(source)


def test_patterns_that_blow_up_elsewhere_take_linear_time_here():
    assert not answer("inputs.text.matches('^(a+)+$')", inputs={"text": "a" * 5000 + "!"})


def test_the_names_an_expression_uses_are_known():
    expression = compile_expression("steps.build.state == 'inputs' && true", NAMES)
    assert expression.names == {"steps"}


def test_names_are_never_missed_where_texts_are_hard_to_tell_apart():
    expression = compile_expression("'''it's''' == 'a' || run.number == 1 || '\\\\' == ''", NAMES)
    assert "run" in expression.names
    assert expression.evaluate_bool({"run": {"number": 1}})


def test_one_expression_serves_many_threads():
    expression = compile_expression("inputs.number % 2 == 0", NAMES)
    wrong: list[int] = []

    def ask(start):
        for number in range(start, start + 500):
            if expression.evaluate_bool({"inputs": {"number": number}}) != (number % 2 == 0):
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
