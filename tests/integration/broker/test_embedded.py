"""The embedded broker as a whole: data survives, kills are survived, nothing is left behind, refusals explain themselves."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic  # type: ignore[attr-defined]  # documented names, not in its __all__

from enact.broker.embedded import EmbeddedBroker
from enact.broker.errors import AlreadyRunningError, DataFolderError, PortTakenError, StartFailedError
from enact.broker.pid_file import PidFile, ProcessMark, mark_of, started_mark
from enact.broker.ports import LOOPBACK, free_port
from enact.broker.probe import ask

TOPIC = "kept"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    own = EmbeddedBroker(tmp_path, port=free_port(), controller_port=free_port())
    yield own
    own.kill()


def ready(broker: EmbeddedBroker) -> float:
    began = time.monotonic()
    broker.start()
    broker.wait_ready()
    return time.monotonic() - began


def create_topic(bootstrap: str, name: str = TOPIC) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(name, 2, 1)]).values():
        future.result(20)


def publish(bootstrap: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True})
    for value in values:
        producer.produce(TOPIC, value)
    assert producer.flush(20) == 0


def read_all(bootstrap: str, count: int) -> set[bytes]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "auto.offset.reset": "earliest"})
    consumer.subscribe([TOPIC])
    found: set[bytes] = set()
    deadline = time.monotonic() + 20
    while len(found) < count and time.monotonic() < deadline:
        message: Message | None = consumer.poll(0.2)
        if message is not None and message.error() is None:
            found.add(message.value() or b"")
    consumer.close()
    return found


def gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while started_mark(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    return started_mark(pid) is None


def test_data_cluster_and_ports_survive_a_stop_and_a_start(own: EmbeddedBroker) -> None:
    first_s = ready(own)
    cluster_id, port = own.cluster_id, own.port
    create_topic(own.bootstrap_servers)
    publish(own.bootstrap_servers, b"a", b"b", b"c")

    own.stop()
    was_running = own.is_running
    second_s = ready(own)

    print(f"start: new folder {first_s:.2f} s, with data {second_s:.2f} s")
    assert not was_running
    assert (own.cluster_id, own.port) == (cluster_id, port)
    assert read_all(own.bootstrap_servers, 3) == {b"a", b"b", b"c"}


def test_a_new_port_is_advertised_to_clients(own: EmbeddedBroker, tmp_path: Path) -> None:
    ready(own)
    create_topic(own.bootstrap_servers)
    publish(own.bootstrap_servers, b"a")
    own.stop()

    moved = EmbeddedBroker(tmp_path, port=free_port(), controller_port=free_port())
    try:
        ready(moved)

        assert moved.port != own.port
        assert read_all(moved.bootstrap_servers, 1) == {b"a"}
    finally:
        moved.kill()


def test_after_kill_9_it_serves_again_within_seconds_with_all_acknowledged_records(own: EmbeddedBroker) -> None:
    ready(own)
    port = own.port
    create_topic(own.bootstrap_servers)
    values = {b"%d" % number for number in range(200)}
    publish(own.bootstrap_servers, *values)
    pid = own.pid
    assert pid is not None

    os.kill(pid, signal.SIGKILL)
    assert gone_within(pid, 5)
    again_s = ready(own)

    print(f"start after kill -9: {again_s:.2f} s")
    assert again_s < 15
    assert own.port == port
    assert read_all(own.bootstrap_servers, 200) == values


def test_it_ends_when_its_owner_is_killed_and_the_next_owner_starts_on_the_same_data(tmp_path: Path) -> None:
    program = (
        "import sys, threading, time\nfrom pathlib import Path\nfrom enact.broker.embedded import EmbeddedBroker\n"
        "broker = EmbeddedBroker(Path(sys.argv[1]), port=0, controller_port=0)\n"
        # Started on a thread that ends at once: the tie must not depend on the caller's thread.
        "starter = threading.Thread(target=broker.start); starter.start(); starter.join()\n"
        "broker.wait_ready()\nprint(broker.pid, broker.cluster_id, flush=True)\ntime.sleep(60)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None
        pid_text, cluster_id = owner.stdout.readline().split()
    finally:
        owner.kill()
        owner.communicate()

    assert gone_within(int(pid_text), 10)
    with EmbeddedBroker(tmp_path) as successor:
        assert successor.cluster_id == cluster_id


def test_a_second_start_on_the_same_folder_says_where_the_first_one_answers(own: EmbeddedBroker, tmp_path: Path) -> None:
    ready(own)

    with pytest.raises(AlreadyRunningError) as refused:
        EmbeddedBroker(tmp_path).start()

    assert refused.value.bootstrap_servers == own.bootstrap_servers
    assert f"ENACT_KAFKA__BOOTSTRAP_SERVERS={own.bootstrap_servers}" in refused.value.message
    assert ask(own.port) is not None


def test_a_taken_port_names_its_holder_and_the_setting(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind((LOOPBACK, 0))
        holder.listen()
        port = holder.getsockname()[1]

        with pytest.raises(PortTakenError) as refused:
            EmbeddedBroker(tmp_path, port=port).start()

    assert f"Port {port}" in refused.value.message
    assert f"process {os.getpid()} " in refused.value.message
    assert "ENACT_BROKER__PORT" in refused.value.message


def test_when_the_last_port_is_taken_meanwhile_a_free_one_is_chosen_and_said(own: EmbeddedBroker, tmp_path: Path) -> None:
    ready(own)
    port = own.port
    own.stop()
    lines: list[str] = []
    again = EmbeddedBroker(tmp_path, on_progress=lines.append)

    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((LOOPBACK, port))
        holder.listen()
        try:
            ready(again)

            assert again.port != port
            assert again.cluster_id == own.cluster_id
            assert f"Port {port} of the broker is taken by process {os.getpid()} " in lines[0]
        finally:
            again.kill()


def test_stale_files_of_a_dead_owner_end_nobody_and_stop_nothing(own: EmbeddedBroker) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        own.storage.create()
        own.storage.lock_path.touch()
        (own.storage.folder / "log").mkdir()
        PidFile(own.storage.pid_path).write([ProcessMark(name="broker", pid=bystander.pid, started="another boot:1")])

        ready(own)

        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_broker_left_behind_without_an_owner_is_ended_first(own: EmbeddedBroker) -> None:
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        mark = mark_of("broker", left.pid)
        assert mark is not None
        own.storage.create()
        PidFile(own.storage.pid_path).write([mark])

        ready(own)

        assert left.wait(5) != 0
    finally:
        left.kill()
        left.wait()


def test_a_foreign_folder_is_left_alone(own: EmbeddedBroker) -> None:
    own.storage.create()
    (own.storage.log_dir).mkdir()
    (own.storage.log_dir / "diary.txt").write_text("mine")

    with pytest.raises(DataFolderError, match=r"not empty but has no meta\.properties.*ENACT_DATA_DIR"):
        own.start()

    assert (own.storage.log_dir / "diary.txt").read_text() == "mine"


def test_damaged_data_ends_in_the_end_of_the_log_and_advice(own: EmbeddedBroker) -> None:
    ready(own)
    own.stop()
    for snapshot in own.storage.log_dir.glob("__cluster_metadata-0/*.checkpoint"):
        snapshot.write_bytes(b"not a snapshot")

    own.start()
    with pytest.raises(StartFailedError) as failed:
        own.wait_ready(20)

    assert "  | " in failed.value.message
    assert f"move {own.storage.folder} away" in failed.value.message


def test_the_settings_that_matter_hold_in_the_running_broker(broker: EmbeddedBroker) -> None:
    resource = ConfigResource(ConfigResource.Type.BROKER, "1")
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    (future,) = admin.describe_configs([resource]).values()
    settings = {name: entry.value for name, entry in future.result(20).items()}

    assert settings["auto.create.topics.enable"] == "false"
    assert settings["group.consumer.session.timeout.ms"] == "6000"
    assert settings["group.consumer.heartbeat.interval.ms"] == "1000"
    assert settings["group.initial.rebalance.delay.ms"] == "0"
    assert settings["broker.session.timeout.ms"] == "1500"
    assert settings["log.message.timestamp.type"] == "LogAppendTime"
    assert all(f"//{LOOPBACK}:" in listener for listener in str(settings["listeners"]).split(","))
