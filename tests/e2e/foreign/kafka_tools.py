"""Kafka's own command line tools, as every distribution has them: a script that runs a class of `org.apache.kafka.tools`."""

import shlex
from pathlib import Path

from enact.broker.jars import jars_in, kafka_jars, locked_jars
from enact.broker.java import SMALL, java_command
from enact.settings import cache_folder

LOCK = Path(__file__).with_name("kafka_tools.sha256")
TOOLS = {"kafka-console-producer.sh": "org.apache.kafka.tools.ConsoleProducer"}


def install_kafka_tools(folder: Path) -> None:
    """Write the scripts into `folder`; downloads and verifies the jars. Raises: EnactError if one cannot be had."""
    jars = kafka_jars(cache_folder(), lambda line: print(line, flush=True), jars=(*locked_jars(), *jars_in(LOCK.read_text("utf-8"))))
    folder.mkdir(parents=True, exist_ok=True)
    for name, main_class in TOOLS.items():
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {shlex.join([*java_command(SMALL, jars), main_class])} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
