"""A measured value may be a word, which a model may have written."""

from dataclasses import replace


def test_a_measured_word_is_cut_and_its_invisible_letters_are_seen(several_values, page):
    record = several_values.record
    word = replace(record.values[-1], value="\x1b[2J" + "w" * 100_000)
    whole = page(replace(several_values, record=replace(record, values=(word,))))
    assert whole.count("[U+001B][2Jwww") > 1
    assert len(whole) < len(page(several_values)) + 10_000
