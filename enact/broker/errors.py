"""Why an embedded broker cannot run; each message says what happened and what to do."""

from enact.errors import BrokerError, ConfigurationError


class JarsUnavailableError(BrokerError):
    """The jars of the embedded Apache Kafka could not be downloaded: connect this machine to the network once, or use a cluster."""


class JarMismatchError(BrokerError):
    """A jar of the embedded Apache Kafka is not the one enact was tested with: delete it and start again."""


class PortTakenError(ConfigurationError):
    """The broker's port is taken: stop its holder or set another port."""


class DataFolderError(ConfigurationError):
    """The data folder cannot hold the embedded broker's data: move it away or choose another one (ENACT_DATA_DIR)."""


class AlreadyRunningError(ConfigurationError):
    """A broker is already running on this data folder.

    `bootstrap_servers` is where it answers, None if it has not said so yet.
    """

    def __init__(self, message: str, *, bootstrap_servers: str | None) -> None:
        super().__init__(message)
        self.bootstrap_servers = bootstrap_servers


class StartFailedError(BrokerError):
    """The embedded broker ended or stayed silent while it was starting: see the end of its log."""
