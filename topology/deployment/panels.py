"""What the dashboard shows, and why somebody would look at it: declarations only. Metrics are those of `enact.metrics`."""

from dataclasses import dataclass

RATE = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Query:
    """One expression; `legend` names each of its lines by their labels."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture. `alarm_at`: from this value on it is red. `unit` is Grafana's word."""

    title: str
    says: str
    queries: tuple[Query, ...]
    unit: str = "short"
    is_number: bool = False
    alarm_at: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Panels beside each other, under one question."""

    title: str
    panels: tuple[Panel, ...]


def _rate(metric: str, by: str) -> str:
    return f'sum by ({by}) (rate({metric}{{stage=~"$stage"}}[{RATE}]))'


def _quantile(quantile: float, metric: str, by: str = "", where: str = 'stage=~"$stage"') -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({quantile}, sum by ({labels}) (rate({metric}_bucket{{{where}}}[{RATE}])))"


def _panel(title: str, says: str, expression: str, legend: str, unit: str = "short", **more: float) -> Panel:
    return Panel(title=title, says=says, queries=(Query(expression, legend),), unit=unit, alarm_at=more.get("alarm_at"))


def _number(title: str, says: str, expression: str, unit: str = "short", alarm_at: float | None = None) -> Panel:
    return Panel(title=title, says=says, queries=(Query(expression, title),), unit=unit, is_number=True, alarm_at=alarm_at)


_SUCCEEDED = 'status="SUCCEEDED"'

ROWS: tuple[Row, ...] = (
    Row(
        "Does anybody have to do something?",
        (
            _number(
                "In doubt", "Nobody can say whether a call was carried out: look, then `enact resolve`.", "sum(enact_in_doubt)", alarm_at=1
            ),
            _number("Held", "Waiting on purpose; their deadlines still count.", "sum(enact_held)"),
            _number(
                "Dead letters, 1 h",
                "Records that need a person.",
                "sum(increase(enact_dead_letters_total[1h]))",
                alarm_at=1,
            ),
            _number("Switches engaged", "Stops that somebody put in force.", "max(enact_switches_engaged)", alarm_at=1),
            _number(
                "Oldest unprocessed",
                "What a stage has in hand for too long.",
                "max(enact_oldest_unprocessed_age_seconds)",
                "s",
                alarm_at=300,
            ),
            _number("Quarantined", "Partitions that wait for an operator.", "sum(enact_partitions_quarantined)", alarm_at=1),
            _number("Lost", "Records that retention deleted unread, in a day.", "sum(increase(enact_records_lost_total[1d]))", alarm_at=1),
        ),
    ),
    Row(
        "What becomes of the intents?",
        (
            _panel(
                "Executions ended",
                "By how they ended.",
                f"sum by (status) (rate(enact_end_to_end_seconds_count[{RATE}]))",
                "{{status}}",
                "ops",
            ),
            Panel(
                title="Approved to outcome",
                says="From the broker's taking of an intent to its outcome, of those that succeeded.",
                queries=tuple(
                    Query(_quantile(quantile, "enact_end_to_end_seconds", where=_SUCCEEDED), f"p{round(quantile * 100)}")
                    for quantile in (0.5, 0.95, 0.99)
                ),
                unit="s",
            ),
            _panel(
                "Records",
                "Read by each stage, by what became of them.",
                _rate("enact_records_total", "stage, result"),
                "{{stage}} {{result}}",
                "ops",
            ),
        ),
    ),
    Row(
        "What waits?",
        (
            _panel("Held", "Executions that wait on purpose, by reason.", "sum by (reason) (enact_held)", "{{reason}}"),
            Panel(
                title="In doubt and retrying",
                says="What has no certain answer yet.",
                queries=(Query("sum(enact_in_doubt)", "in doubt"), Query("sum(enact_retrying)", "retrying")),
            ),
            Panel(
                title="Age of the oldest that waits",
                says="Since it entered the execution log.",
                queries=(
                    Query("max by (reason) (enact_held_oldest_age_seconds)", "held: {{reason}}"),
                    Query("max(enact_in_doubt_oldest_age_seconds)", "in doubt"),
                ),
                unit="s",
            ),
            _panel(
                "Dead letters",
                "By stage and code.",
                'sum by (stage, code) (increase(enact_dead_letters_total{stage=~"$stage"}[5m])) > 0',
                "{{stage}} {{code}}",
            ),
            _panel(
                "Lost and repaired",
                "What reconciliation did about executions that were lost on their way.",
                "sum by (remedy) (increase(enact_repairs_total[5m]))",
                "{{remedy}}",
            ),
        ),
    ),
    Row(
        "What do the other systems do?",
        (
            _panel(
                "Calls",
                "By connector and what they taught us.",
                f"sum by (connector, result) (rate(enact_calls_total[{RATE}]))",
                "{{connector}} {{result}}",
                "ops",
            ),
            _panel("Call time, p99", "Of one external call.", _quantile(0.99, "enact_call_seconds", "connector", ""), "{{connector}}", "s"),
            _panel(
                "Call errors",
                "By connector and class.",
                f"sum by (connector, error_class) (rate(enact_call_errors_total[{RATE}]))",
                "{{connector}} {{error_class}}",
                "ops",
            ),
            _panel("Retries", "Further attempts scheduled.", f"sum(rate(enact_retries_total[{RATE}]))", "retries", "ops"),
            Panel(
                title="Breakers and limits",
                says="Tenants that wait for a connector which does not answer; 1 while the newest limits file is not in force.",
                queries=(
                    Query('sum by (connector, state) (enact_breakers{state=~"open|half_open"})', "{{connector}} {{state}}"),
                    Query("max(enact_limits_file_refused)", "limits file refused"),
                ),
            ),
        ),
    ),
    Row(
        "May calls be made?",
        (
            _panel(
                "Switch view age",
                "A call starts only below 2 s.",
                'max by (instance) (enact_switches_age_seconds{stage="invocation"})',
                "{{instance}}",
                "s",
                alarm_at=2,
            ),
            _panel("In flight", "Claims and calls under way.", 'sum by (instance) (enact_in_flight{stage="invocation"})', "{{instance}}"),
            _panel("Claims", "By what became of them.", f"sum by (result) (rate(enact_claims_total[{RATE}]))", "{{result}}", "ops"),
            _panel(
                "Read back, p99",
                "From appending a claim to reading it in the log.",
                _quantile(0.99, "enact_read_back_seconds", "stage"),
                "{{stage}}",
                "s",
            ),
            Panel(
                title="Keys for approvals",
                says="Public keys in force; stale means that the file of keys cannot be read and earlier keys stay in force.",
                queries=(
                    Query("min by (stage) (enact_approval_keys)", "{{stage}} keys"),
                    Query("max by (stage) (enact_approval_keys_stale)", "{{stage}} stale"),
                ),
            ),
        ),
    ),
    Row(
        "How do the stages do?",
        (
            _panel("Lag", "Records behind.", 'sum by (stage) (enact_consumer_lag_records{stage=~"$stage"})', "{{stage}}"),
            _panel(
                "Oldest unprocessed",
                "Age of the oldest record in hand.",
                'max by (stage) (enact_oldest_unprocessed_age_seconds{stage=~"$stage"})',
                "{{stage}}",
                "s",
            ),
            _panel("Handling, p99", "To decide or fold one record.", _quantile(0.99, "enact_handling_seconds", "stage"), "{{stage}}", "s"),
            _panel(
                "Flush, p99",
                "Until a batch's records were acknowledged.",
                _quantile(0.99, "enact_flush_seconds", "stage"),
                "{{stage}}",
                "s",
            ),
        ),
    ),
    Row(
        "And the processes?",
        (
            _panel(
                "Batch",
                "Records taken at once, on average.",
                f"{_rate('enact_batch_records_sum', 'stage')} / {_rate('enact_batch_records_count', 'stage')}",
                "{{stage}}",
            ),
            Panel(
                title="Restore and rewinds",
                says="Records still to be folded after a start; batches taken again after a delivery error.",
                queries=(
                    Query('sum by (stage) (enact_restore_remaining_records{stage=~"$stage"})', "{{stage}} to restore"),
                    Query('sum by (stage) (increase(enact_rewinds_total{stage=~"$stage"}[5m])) > 0', "{{stage}} rewinds"),
                ),
            ),
            _panel("CPU", "Cores used.", f'sum by (instance) (rate(process_cpu_seconds_total{{job="enact"}}[{RATE}]))', "{{instance}}"),
            _panel("Memory", "Resident.", 'sum by (instance) (process_resident_memory_bytes{job="enact"})', "{{instance}}", "bytes"),
        ),
    ),
)
