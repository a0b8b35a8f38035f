# SPDX-License-Identifier: Apache-2.0
"""What pytest needs to know: options, the models as parameters, the tables that a run prints."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import models  # noqa: E402
import places  # noqa: E402
import snr_table  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--update-tables", action="store_true", help="rewrite the tables in expected/")


def pytest_configure(config):
    config.addinivalue_line("markers", "no_tool: runs without the built program")
    config.snr = snr_table.Table(places.EXPECTED / "snr.csv")
    config.notes = []


def pytest_generate_tests(metafunc):
    if "corpus_model" in metafunc.fixturenames:
        found, reason = models.find()
        cases = [pytest.param((name, path), id=name) for name, path in found.items()]
        if not cases:
            cases = [pytest.param(None, marks=pytest.mark.skip(reason=reason))]
        metafunc.parametrize("corpus_model", cases)


def pytest_collection_modifyitems(config, items):
    if places.TOOL.exists():
        return
    for item in items:
        if "no_tool" not in item.keywords:
            item.add_marker(pytest.mark.skip(reason=f"{places.TOOL.name} is not built"))


@pytest.fixture
def snr(request):
    return request.config.snr


@pytest.fixture
def notes(request):
    """Lines that are printed when all is done."""
    return request.config.notes


@pytest.fixture
def update_tables(request):
    return request.config.getoption("--update-tables")


def pytest_terminal_summary(terminalreporter, config):
    _, origin = models.find()
    terminalreporter.section("models")
    terminalreporter.write_line(f"from {origin}")
    for line in config.snr.lines():
        terminalreporter.write_line(line)
    for line in config.notes:
        terminalreporter.write_line(line)
    if config.getoption("--update-tables"):
        config.snr.write()
        terminalreporter.write_line(f"rewrote {config.snr.path.name}")
