"""The end of a session: what the run came to beside the baselines, and the files it leaves."""

import os
from dataclasses import dataclass, replace

from interp.errors import DataError
from interp.plugin.setting import Setting
from interp.reports.baselines import baseline_file
from interp.reports.compare import Comparison, compare_with_baselines
from interp.reports.exit_status import INCOMPLETE, Outcome, Session, outcome_of
from interp.reports.noise import PLAIN
from interp.reports.record import RunRecord, read_run


@dataclass(frozen=True)
class Closed:
    """What is known of a run once it is over; `problems` are told, and change no number."""

    record: RunRecord | None
    comparison: Comparison | None
    outcome: Outcome
    page: str = ""
    problems: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()  # that mark lines in a job of GitHub


def journal_of(setting: Setting) -> RunRecord | None:
    """The run as its journals tell it; None where nothing was written."""
    try:
        return read_run(setting.run)
    except DataError:
        return None


def close(setting: Setting, record: RunRecord | None, session: Session) -> Closed:
    """Compare the run with the baselines, decide its exit status, and write its reports."""
    known = replace(
        session, allow_new=setting.options.allow_new, with_baseline=_with_baseline(setting)
    )
    if record is None or setting.options.vary != PLAIN:
        return Closed(record, None, outcome_of(record, known))
    try:
        comparison = compare_with_baselines(record, setting.options.reports_dir)
    except DataError as error:  # it was whole when the session began
        outcome = outcome_of(record, known)
        if session.gate and not outcome.status:
            outcome = Outcome(INCOMPLETE, "incomplete: the baseline cannot be read")
        return Closed(record, None, outcome, problems=(str(error),))
    closed = _told_to_github(Closed(record, comparison, outcome_of(record, known, comparison)))
    return _reported(closed, setting) if setting.options.report else closed


def _told_to_github(closed: Closed) -> Closed:
    """What a job of GitHub shows: the summary of its step, and marks at lines."""
    # Only here: the plugin is loaded in projects that are not ours, too.
    from interp.reports.github import annotations, append_summary, in_actions  # noqa: PLC0415

    record, comparison = closed.record, closed.comparison
    assert record is not None  # noqa: S101  the caller looked
    try:
        append_summary(record, comparison, closed.outcome, os.environ)
    except OSError as error:
        closed = replace(closed, problems=(f"the step has no summary: {error.strerror}",))
    found = annotations(record, comparison) if in_actions() else ()
    return replace(closed, commands=tuple(found))


def _reported(closed: Closed, setting: Setting) -> Closed:
    """Write the page and all that belongs to it."""
    from interp.reports.outputs import write_outputs  # noqa: PLC0415  as above
    from interp.reports.published import load_published  # noqa: PLC0415  as above

    assert closed.record is not None  # noqa: S101  the caller looked
    problems = list(closed.problems)
    path, published = setting.options.published, {}
    try:
        published = load_published(path) if path.is_file() else {}
    except DataError as error:  # it was whole when the session began
        problems.append(str(error))
    written = write_outputs(closed.record, closed.comparison, closed.outcome, published)
    pages = [str(path) for path in written.paths if path.suffix == ".html"]
    return replace(closed, page=next(iter(pages), ""), problems=(*problems, *written.problems))


def _with_baseline(setting: Setting) -> frozenset[str]:
    ids = (one.spec.id for one in setting.selection.chosen)
    reports = setting.options.reports_dir
    return frozenset(one for one in ids if baseline_file(reports, one).is_file())
