"""`enact doctor`'s rounds on a cluster: opens it, asks, and hands what it is told to the looks that judge it."""

from collections.abc import Iterator
from contextlib import ExitStack

from cli import doctor_cluster, doctor_stages, doctor_work
from cli.context import Cluster, kafka_settings, topic_prefix
from cli.doctor_finding import Finding, fail, looked, ok
from cli.output import as_typed
from cli.up_file import Running
from enact.broker.jars import KAFKA_VERSION
from enact.clock import SystemClock
from enact.errors import ConfigurationError, EnactError
from enact.kafka.admin import KafkaAdmin
from enact.kafka.inspection import ClusterFacts, Inspection
from enact.kafka.log_reader import LogReader
from enact.kafka.transport import DeliveryReport, OutRecord
from enact.kafka.value_framing import value_framing
from enact.settings import KernelSettings
from topology.stages import RUNNING_STAGES, group_name
from topology.subjects import subjects
from topology.topics import TOPICS, topic_name

PATIENCE_S = 5.0
PROBE_WAIT_S = 2.0


class ReadsOnly:
    """A writer that never writes: what looks must not change anything, not even by mistake."""

    def send(self, record: OutRecord, on_delivery: DeliveryReport | None = None) -> None:
        """Raises: ConfigurationError, always."""
        raise ConfigurationError("`enact doctor` changes nothing.")

    def poll(self) -> None:
        """Nothing."""

    def flush(self, timeout_s: float) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Rounds:
    """One visit. `is_answering` is known after `cluster`; `framing` is how values are framed, without the right to register."""

    def __init__(self, settings: KernelSettings, told: Running) -> None:
        self._told, self._enact = told, as_typed(settings)
        self._data_dir, self._prefix = settings.data_dir.absolute(), topic_prefix(settings)
        self.framing = settings.schema_registry
        self._is_ours = settings.kafka.bootstrap_servers is None
        self.framing = settings.schema_registry.model_copy(update={"registers": False})
        kafka = kafka_settings(settings)
        self._kafka = kafka.model_copy(update={"request_timeout_s": min(kafka.request_timeout_s, PATIENCE_S)})
        self._address = self._kafka.require_bootstrap_servers()
        self._counts: dict[str, int] = {}
        self.is_answering = False

    def cluster(self) -> Iterator[Finding]:
        """Who answers, and whether it is as enact needs it."""
        inspection, admin = Inspection(self._kafka), KafkaAdmin(self._kafka)
        try:
            facts = inspection.cluster()
        except EnactError as error:
            step = "Topics, groups and work were not looked at. Correct the address or start the cluster, then look again."
            yield fail("broker", error.message, step)
            return
        self.is_answering = True
        yield doctor_cluster.broker(facts, self._address, KAFKA_VERSION if self._is_ours else None)
        yield from looked("group protocol", lambda: self._protocol(inspection, facts))
        yield from looked("topics", lambda: doctor_cluster.topics(admin, prefix=self._prefix, is_practice=self._is_ours, enact=self._enact))
        yield from looked("clock", lambda: self._clock(admin))

    def stages(self) -> Iterator[Finding]:
        """Processes that `enact up` started here, and every stage's group."""
        yield from doctor_stages.health(self._told.health_ports, logs=self._data_dir / "logs", enact=self._enact)
        if self.is_answering and self._counts:
            stages = [stage for stage in RUNNING_STAGES if stage != "api"]  # it assigns itself all partitions, without a group
            started = {name.partition(".")[0]: self._data_dir / "logs" / f"{name}.log" for name in self._told.health_ports}
            inspection, admin = Inspection(self._kafka), KafkaAdmin(self._kafka)
            yield from looked(
                "groups",
                lambda: doctor_stages.groups(
                    stages, inspection, admin, prefix=self._prefix, counts=self._counts, enact=self._enact, started=started
                ),
            )

    def work(self) -> Iterator[Finding]:
        """What can be done, what is stopped, and what waits for a person."""
        with ExitStack() as framing:
            if self.framing.url is not None and self._counts:
                yield from looked("schema registry", lambda: self._framed(framing))
            yield from self._work()

    def _framed(self, framing: ExitStack) -> Iterator[Finding]:
        """What is read from here on is read with the schema registry. Nothing is registered."""
        framing.enter_context(value_framing(self.framing.model_copy(update={"registers": False}), subjects(self._prefix)))
        yield ok("schema registry", f"{self.framing.url} knows the schemas of all topics")

    def _work(self) -> Iterator[Finding]:
        door = Cluster(
            writer=ReadsOnly(),
            open_reader=lambda: LogReader(self._kafka),
            clock=SystemClock(),
            actor="doctor",
            prefix=self._prefix,
        )
        yield from looked("schema registry", lambda: self._tables(door))
        yield from looked(
            "dead letters",
            lambda: doctor_work.kept(KafkaAdmin(self._kafka), LogReader(self._kafka), prefix=self._prefix, counts=self._counts),
        )
        pages = [doctor_stages.ask(port, "/metrics") for name, port in self._told.health_ports.items() if name.startswith("invocation.")]
        yield doctor_work.in_doubt([page[1] for page in pages if page is not None], self._enact)

    def _tables(self, door: Cluster) -> Iterator[Finding]:
        """What has to be decoded, as the settings frame it; a schema registry is asked and given nothing."""
        with value_framing(self.framing, subjects(self._prefix)):
            if self.framing.url is not None:
                yield ok("schema registry", "answers, and knows every schema")
            if topic_name("registry", self._prefix) in self._counts:
                yield from looked("registry", lambda: [doctor_work.registry(door.registry().view(), self._enact)])
            if topic_name("switches", self._prefix) in self._counts:
                yield from looked("switches", lambda: doctor_work.switches(door.switches().switches(), self._enact))

    def _protocol(self, inspection: Inspection, facts: ClusterFacts) -> Iterator[Finding]:
        try:
            settings = inspection.broker_settings(facts.node_id)
        except EnactError:
            settings = {}
        return doctor_cluster.group_protocol(settings)

    def _clock(self, admin: KafkaAdmin) -> Iterator[Finding]:
        """Also notes which topics there are: everything after this needs to know."""
        names = [topic_name(short, self._prefix) for short in TOPICS]
        self._counts = {name: one.partition_count for name, one in admin.describe_topics(names).items()}
        if topic_name("switches", self._prefix) in self._counts:
            group = group_name("invocation", self._prefix)
            is_probed = bool(Inspection(self._kafka).groups([group])[group].member_count)
            yield doctor_cluster.clock(LogReader(self._kafka), prefix=self._prefix, is_probed=is_probed, wait_s=PROBE_WAIT_S)
