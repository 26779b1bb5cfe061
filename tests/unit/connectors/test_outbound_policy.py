"""Where calls may go."""

import pytest

from connectors.outbound_policy import OutboundPolicy
from enact.errors import ConfigurationError, RejectedError

INSIDE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "2001:db8::1",
]
OUTSIDE = ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_that_resolves_to_the_inside_is_not_connected_to(address: str) -> None:
    assert not OutboundPolicy().permits("crm.example", 443, address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_a_name_that_resolves_to_the_outside_is_connected_to(address: str) -> None:
    assert OutboundPolicy().permits("crm.example", 443, address)


def test_what_is_allowed_is_that_host_and_that_port_only() -> None:
    policy = OutboundPolicy.from_entries(["127.0.0.1:8090", " CRM.internal:443 "])

    assert policy.permits("127.0.0.1", 8090, "127.0.0.1")
    assert policy.permits("crm.internal", 443, "10.0.0.1")
    assert not policy.permits("127.0.0.1", 8091, "127.0.0.1")
    assert not policy.permits("other.internal", 443, "10.0.0.1")
    policy.check_url("http://127.0.0.1:8090/x")


@pytest.mark.parametrize(
    "url",
    [
        "http://crm.example/",
        "ftp://crm.example/",
        "https:///path",
        "https://user:word@crm.example/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://crm.example:99999/",
        "nothing",
    ],
)
def test_an_address_that_is_no_public_https_address_is_refused(url: str) -> None:
    with pytest.raises(RejectedError):
        OutboundPolicy().check_url(url)


def test_a_public_https_address_is_accepted() -> None:
    OutboundPolicy().check_url("https://acme.my.salesforce.com/services")
    OutboundPolicy().check_url("https://93.184.216.34:8443/")


@pytest.mark.parametrize("entry", ["127.0.0.1", "host:", ":80", "host:port", "host:0", "host:70000", "host:٣"])
def test_an_entry_that_is_no_host_and_port_is_a_configuration_error(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="ENACT_OUTBOUND__ALLOW"):
        OutboundPolicy.from_entries([entry])
