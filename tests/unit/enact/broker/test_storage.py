"""The broker's part of the data folder: its own is recognised, everybody else's is refused and left as it is."""

import subprocess
from pathlib import Path

import pytest

from enact.broker import storage as module
from enact.broker.errors import DataFolderError, StartFailedError
from enact.broker.storage import Storage, new_cluster_id

META = "#\nversion=1\nnode.id=1\ncluster.id=1lnKdPEZTKeSx1WphRulig\ndirectory.id=TkxlRCu8SPyygnZuvK75Mw\n"


def with_meta(folder: Path, text: str) -> Storage:
    storage = Storage(folder)
    storage.create()
    storage.log_dir.mkdir()
    (storage.log_dir / "meta.properties").write_text(text)
    return storage


def test_a_new_folder_has_no_cluster(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.create()

    assert storage.cluster_id() is None


def test_a_formatted_folder_says_its_cluster(tmp_path: Path) -> None:
    assert with_meta(tmp_path, META).cluster_id() == "1lnKdPEZTKeSx1WphRulig"


@pytest.mark.parametrize(
    "text", [META.replace("node.id=1", "node.id=7"), META.replace("version=1", "version=0"), "version=1\nnode.id=1\n", "", "\0\0"]
)
def test_another_brokers_data_is_refused_with_what_was_found(tmp_path: Path, text: str) -> None:
    storage = with_meta(tmp_path, text)

    with pytest.raises(DataFolderError, match=r"not of an embedded broker.*Move .* away.*ENACT_DATA_DIR"):
        storage.cluster_id()


def test_unreadable_metadata_is_refused(tmp_path: Path) -> None:
    storage = with_meta(tmp_path, "")
    (storage.log_dir / "meta.properties").write_bytes(b"\xff\xfe\xff")

    with pytest.raises(DataFolderError, match="cannot be read"):
        storage.cluster_id()


def test_a_folder_that_cannot_be_made_names_its_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(DataFolderError, match="ENACT_DATA_DIR"):
        Storage(tmp_path / "file" / "data").create()


def test_a_failed_format_shows_what_the_tool_said_and_leaves_no_half_made_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(tmp_path)
    storage.create()

    def fail(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        (storage.folder / "log.new").mkdir()
        return subprocess.CompletedProcess(command, 1, stdout="", stderr="No space left on device")

    monkeypatch.setattr("enact.broker.storage.subprocess.run", fail)

    with pytest.raises(StartFailedError, match="No space left"):
        storage.format(["java"], port=1, controller_port=2)

    assert storage.cluster_id() is None


def test_ports_are_remembered_and_a_damaged_note_is_forgotten(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.create()

    storage.configure(port=21_000, controller_port=21_001)

    assert storage.ports() == (21_000, 21_001)
    storage.ports_path.write_text("{")
    assert storage.ports() is None


def test_a_large_log_is_put_aside_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOG_LIMIT_BYTES", 3)
    storage = Storage(tmp_path)
    storage.create()
    storage.output_path.write_text("much\n")

    storage.create()

    assert storage.output_path.read_text() == ""
    assert storage.output_path.with_suffix(".log.1").read_text() == "much\n"


def test_the_tail_is_of_this_start_only(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.create()
    storage.output_path.write_text("old\nnew 1\nnew 2\nnew 3\n")

    assert storage.output_tail(from_byte=4, lines=2) == "  | new 2\n  | new 3"


def test_cluster_ids_have_22_characters_and_never_look_like_an_option() -> None:
    ids = {new_cluster_id() for _ in range(500)}

    assert len(ids) == 500
    assert all(len(one) == 22 and not one.startswith("-") for one in ids)
