"""The broker's part of the data folder: formatted once, recognised afterwards, never touched when it is somebody else's.

In it: `broker/log/` (Kafka's log directory: topics and metadata), `broker/` (server.properties, ports.json,
broker.pid.json, broker.lock) and `logs/broker.log` (what the broker says).
"""

import base64
import json
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path

from enact.broker.errors import DataFolderError, StartFailedError
from enact.broker.server_config import NODE_ID, server_properties

_LOG_LIMIT_BYTES = 8 * 1024 * 1024


class Storage:
    """Names and contents of one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.absolute()
        self.folder = self.data_dir / "broker"
        self.log_dir = self.folder / "log"
        self.properties = self.folder / "server.properties"
        self.pid_path = self.folder / "broker.pid.json"
        self.lock_path = self.folder / "broker.lock"
        self.ports_path = self.folder / "ports.json"
        self.output_path = self.data_dir / "logs" / "broker.log"

    def create(self) -> None:
        """Make the folders; keep one older broker.log when it has grown large.

        Raises: DataFolderError if this user may not write there.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.output_path.parent.mkdir(parents=True, exist_ok=True)
            if self.output_path.exists() and self.output_path.stat().st_size > _LOG_LIMIT_BYTES:
                self.output_path.replace(self.output_path.with_suffix(".log.1"))
            self.output_path.touch()
        except OSError as error:
            raise DataFolderError(
                f"The data folder {self.data_dir} cannot be used ({error}). Make it writable or set ENACT_DATA_DIR to another folder."
            ) from error

    def cluster_id(self) -> str | None:
        """The cluster id of a formatted folder; None if the folder is new or empty.

        Raises: DataFolderError if it holds something else than one node's data made by `format`.
        """
        meta = self.log_dir / "meta.properties"
        if not meta.exists():
            if self.log_dir.exists() and any(self.log_dir.iterdir()):
                raise DataFolderError(
                    f"{self.log_dir} is not empty but has no meta.properties, so it is not (or no longer) a broker's data. {self._advice()}"
                )
            return None
        try:
            lines = meta.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataFolderError(f"{meta} cannot be read ({error}). {self._advice()}") from error
        found = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        if found.get("version") != "1" or found.get("node.id") != str(NODE_ID) or not found.get("cluster.id"):
            raise DataFolderError(
                f"{meta} is not of an embedded broker: expected version=1, node.id={NODE_ID} and a cluster.id, "
                f"found {found.get('version')}, {found.get('node.id')} and {found.get('cluster.id')}. {self._advice()}"
            )
        return found["cluster.id"]

    def format(self, java: Sequence[str], *, port: int, controller_port: int) -> str:
        """Make an empty log directory for a new cluster, whole or not at all; returns the new cluster id (22 characters).

        Raises: StartFailedError with what Kafka's tool said.
        """
        cluster_id = new_cluster_id()
        draft = self.folder / "log.new"
        shutil.rmtree(draft, ignore_errors=True)
        config = self.folder / "format.properties"
        config.write_text(server_properties(log_dir=draft, port=port, controller_port=controller_port), encoding="utf-8")
        tool = [*java, "kafka.tools.StorageTool", "format", "--standalone", "-t", cluster_id, "-c", str(config)]
        done = subprocess.run(tool, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise StartFailedError(f"Formatting {self.log_dir} failed (exit {done.returncode}):\n{(done.stdout + done.stderr)[-2000:]}")
        if self.log_dir.exists():
            self.log_dir.rmdir()  # empty, or `cluster_id` had refused it
        draft.rename(self.log_dir)
        config.unlink()
        return cluster_id

    def ports(self) -> tuple[int, int] | None:
        """The two ports of the last run."""
        try:
            saved = json.loads(self.ports_path.read_text(encoding="utf-8"))
            return int(saved["port"]), int(saved["controller_port"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def configure(self, *, port: int, controller_port: int) -> None:
        """Write what the broker reads, and the ports for the next run."""
        text = server_properties(log_dir=self.log_dir, port=port, controller_port=controller_port)
        self.properties.write_text(text, encoding="utf-8")
        self.ports_path.write_text(json.dumps({"port": port, "controller_port": controller_port}), encoding="utf-8")

    def output_tail(self, *, from_byte: int = 0, lines: int = 25) -> str:
        """The end of what the broker said since `from_byte` of its log."""
        with self.output_path.open("rb") as file:
            file.seek(from_byte)
            text = file.read().decode(errors="replace")
        return "\n".join("  | " + line[:300] for line in text.splitlines()[-lines:])

    def _advice(self) -> str:
        return f"Move {self.folder} away to start with an empty broker, or set ENACT_DATA_DIR to another folder."


def new_cluster_id() -> str:
    """A random id as Kafka writes them; never with a leading dash, which its tool takes for an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if not text.startswith("-"):
            return text
