"""What the authority signs, judged by the `openssl` command: it shares no code with what made it."""

import re
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from siaga_central.authority import certificates as make
from siaga_central.authority.authority import Authority, AuthorityMissing, RootGone
from siaga_core.service.files import write_atomic

NOW = datetime.now(UTC)
NODE = "btm-017"


def openssl(*words: str | Path) -> tuple[int, str]:
    """Exit status and everything it said."""
    ended = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, timeout=20)
    return ended.returncode, ended.stdout + ended.stderr


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "authority", "Uji", NOW)


@dataclass
class Leaf:
    """A node's certificate in a file, with its serial."""

    file: Path
    serial: str
    key: make.Key


def node_leaf(authority: Authority, folder: Path, node: str = NODE) -> Leaf:
    key = make.new_key()
    issued = authority.issue_node(node, key.public_key(), NOW)
    path = folder / f"{node}-{issued.serial}.pem"
    path.write_text(issued.certificate_pem)
    return Leaf(path, issued.serial, key)


def verify(authority: Authority, leaf: Path, *more: str | Path) -> tuple[int, str]:
    issuer = authority.ca_file.with_name("issuer.pem")
    return openssl("verify", "-x509_strict", "-CAfile", authority.ca_file, "-untrusted", issuer, *more, leaf)


def field(certificate: Path, name: str) -> str:
    status, text = openssl("x509", "-in", certificate, "-noout", name)
    assert status == 0, text
    return text.strip()


def extensions(certificate: Path) -> str:
    status, text = openssl("x509", "-in", certificate, "-noout", "-text")
    assert status == 0, text
    return " ".join(text.split())


def test_a_nodes_certificate_is_for_its_name_as_client_for_ninety_days(
    authority: Authority, tmp_path: Path
) -> None:
    leaf = node_leaf(authority, tmp_path)
    assert verify(authority, leaf.file, "-purpose", "sslclient")[0] == 0
    assert "certificate purpose" in verify(authority, leaf.file, "-purpose", "sslserver")[1]
    assert field(leaf.file, "-subject").replace(" ", "") == f"subject=CN={NODE}"
    assert int(field(leaf.file, "-serial").removeprefix("serial="), 16) == int(leaf.serial, 16)
    said = field(leaf.file, "-enddate").removeprefix("notAfter=")
    ends = datetime.strptime(said, "%b %d %H:%M:%S %Y %Z").replace(tzinfo=UTC)
    assert abs(ends - NOW - timedelta(days=90)) < timedelta(seconds=2)
    assert "CA:FALSE" in extensions(leaf.file)


def test_a_nodes_certificate_is_no_good_before_after_or_elsewhere(
    authority: Authority, tmp_path: Path
) -> None:
    leaf = node_leaf(authority, tmp_path)
    for days, good in ((-1, False), (0, True), (89, True), (91, False)):
        at = int((NOW + timedelta(days=days)).timestamp())
        assert (verify(authority, leaf.file, "-attime", str(at))[0] == 0) is good, days
    other = Authority.create(tmp_path / "other", "Uji", NOW)
    assert verify(other, leaf.file)[0] != 0, "same names, other keys"


def test_root_and_issuer_sign_and_do_nothing_else(authority: Authority) -> None:
    root, issuer = authority.ca_file, authority.ca_file.with_name("issuer.pem")
    assert openssl("verify", "-x509_strict", "-CAfile", root, issuer)[0] == 0
    for file, length in ((root, 1), (issuer, 0)):
        text = extensions(file)
        assert f"Basic Constraints: critical CA:TRUE, pathlen:{length}" in text
        assert re.search(r"Key Usage: critical Certificate Sign, CRL Sign (X509v3|Signature)", text), text
    fingerprint = openssl("x509", "-in", root, "-noout", "-fingerprint", "-sha256")[1]
    assert fingerprint.strip().rpartition("=")[2].replace(":", "").lower() == authority.ca_sha256


def signed_below(authority: Authority, folder: Path, signer_may_sign: bool) -> tuple[int, str]:
    """What openssl says of a certificate that the holder of a node's (or issuer's) certificate signed."""
    held = make.new_key()
    issuer = authority._issuer, authority._key
    if signer_may_sign:  # the mutant: an authority that gives its nodes certificates that sign
        certificate = make.make_authority(NODE, held, NOW, 90, (authority._root, _root_key(authority)))
    else:
        certificate = make.make_leaf(NODE, held.public_key(), issuer, NOW)
    forged = make.make_leaf("gsm-001", make.new_key().public_key(), (certificate, held), NOW)
    between, leaf = folder / "between.pem", folder / "forged.pem"
    between.write_bytes(make.pem(certificate) + make.pem(authority._issuer))
    leaf.write_bytes(make.pem(forged))
    return openssl("verify", "-CAfile", authority.ca_file, "-untrusted", between, leaf)


def _root_key(authority: Authority) -> make.Key:
    return make.load_key(authority.ca_file.with_name("root.key").read_bytes())


def test_a_node_cannot_sign_for_another_node(authority: Authority, tmp_path: Path) -> None:
    status, text = signed_below(authority, tmp_path, signer_may_sign=False)
    assert status != 0
    assert "invalid CA certificate" in text
    assert signed_below(authority, tmp_path, signer_may_sign=True)[0] == 0, "the mutant is seen"


def test_a_revoked_certificate_is_on_the_list_and_refused_and_its_neighbour_is_not(
    authority: Authority, tmp_path: Path
) -> None:
    bad, good = node_leaf(authority, tmp_path), node_leaf(authority, tmp_path, "gsm-001")
    check = ("-crl_check", "-CRLfile", authority.crl_file)
    assert verify(authority, bad.file, *check)[0] == 0, "nothing is revoked yet"
    authority.write_crl([(bad.serial, int(NOW.timestamp() * 1e6))], NOW)
    status, text = openssl(
        "crl", "-in", authority.crl_file, "-noout", "-text", "-CAfile", authority.bundle_file
    )
    assert (status, "verify OK" in text) == (0, True)
    listed = [line.split(":")[1].strip() for line in text.splitlines() if "Serial Number" in line]
    assert [int(serial, 16) for serial in listed] == [int(bad.serial, 16)]
    assert "certificate revoked" in verify(authority, bad.file, *check)[1]
    assert verify(authority, good.file, *check)[0] == 0


def test_the_hubs_own_servers_are_servers_for_their_names_only(authority: Authority) -> None:
    chain, _ = authority.own("server", NOW, ["127.0.0.1", "hub.batam.example"])
    assert verify(authority, chain, "-purpose", "sslserver", "-verify_ip", "127.0.0.1")[0] == 0
    assert verify(authority, chain, "-verify_hostname", "hub.batam.example")[0] == 0
    assert verify(authority, chain, "-verify_hostname", "other.example")[0] != 0
    assert verify(authority, chain, "-purpose", "sslclient")[0] != 0


def test_the_hubs_own_certificate_is_made_anew_in_time_with_the_same_key(authority: Authority) -> None:
    chain, key = authority.own("server", NOW, ["a.example"])
    first, first_key = chain.read_bytes(), key.read_bytes()
    authority.own("server", NOW + timedelta(days=59), ["a.example"])
    assert chain.read_bytes() == first
    authority.own("server", NOW, ["b.example"])
    assert chain.read_bytes() != first, "another name is another certificate"
    authority.own("server", NOW + timedelta(days=61), ["b.example"])
    later = str(int((NOW + timedelta(days=120)).timestamp()))
    assert verify(authority, chain, "-attime", later)[0] == 0
    assert key.read_bytes() == first_key


def readable_by_others(folder: Path) -> set[str]:
    """Keys in `folder` that somebody but their owner may open."""
    return {one.name for one in folder.glob("*.key") if stat.S_IMODE(one.stat().st_mode) != 0o600}


def test_no_key_is_readable_by_others(authority: Authority) -> None:
    authority.own("server", NOW, ["a.example"])
    folder = authority.ca_file.parent
    assert {one.name for one in folder.glob("*.key")} == {"root.key", "issuer.key", "server.key"}
    assert readable_by_others(folder) == set()
    write_atomic(folder / "careless.key", make.key_pem(make.new_key()))  # the mutant's way
    assert readable_by_others(folder) == {"careless.key"}
    for file in (*folder.glob("*.pem"),):
        assert b"PRIVATE" not in file.read_bytes(), file


def test_an_authority_that_is_there_stays_and_needs_no_root_key(authority: Authority, tmp_path: Path) -> None:
    folder = authority.ca_file.parent
    before = authority.ca_sha256
    (folder / "root.key").unlink()  # in a safe
    again = Authority.create(folder, "Uji", NOW)
    assert again.ca_sha256 == before
    assert verify(again, node_leaf(again, tmp_path).file)[0] == 0


def test_a_making_that_the_power_cut_is_made_whole_the_next_time(
    authority: Authority, tmp_path: Path
) -> None:
    folder = authority.ca_file.parent
    (folder / "issuer.pem").unlink()  # what is written last
    with pytest.raises(AuthorityMissing, match="siaga-central init"):
        Authority(folder)
    whole = Authority.create(folder, "Uji", NOW)
    assert verify(whole, node_leaf(whole, tmp_path).file)[0] == 0


def request(folder: Path, subject: str, *more: str, key: tuple[str, ...] = ()) -> bytes:
    """A request made by openssl."""
    kind = key or ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    out = folder / "request.pem"
    status, text = openssl(
        "req",
        "-new",
        *kind,
        "-nodes",
        "-keyout",
        folder / "request.key",
        "-subj",
        subject,
        "-out",
        out,
        *more,
    )
    assert status == 0, text
    return out.read_bytes()


def test_a_request_made_by_openssl_is_signed_without_its_other_wishes(
    authority: Authority, tmp_path: Path
) -> None:
    wishes = ("-addext", "subjectAltName=DNS:hub", "-addext", "basicConstraints=critical,CA:TRUE")
    key = make.read_request(request(tmp_path, f"/CN={NODE}", *wishes), NODE)
    leaf = tmp_path / "leaf.pem"
    leaf.write_text(authority.issue_node(NODE, key, NOW).certificate_pem)
    text = extensions(leaf)
    assert "CA:FALSE" in text
    assert "Subject Alternative Name" not in text
    public = openssl("pkey", "-in", tmp_path / "request.key", "-pubout")[1]
    assert field(leaf, "-pubkey") == public.strip()


SUBJECTS = [
    "/CN=gsm-001",
    "/CN=hub",
    "/O=x",
    f"/CN={NODE}/CN=hub",
    f"/CN=hub/CN={NODE}",
    f"/CN={NODE.upper()}",
]


def signed(read: Callable[[bytes, str], object], asked: bytes) -> bool:
    """Whether a request would be signed for NODE."""
    try:
        read(asked, NODE)
    except make.BadRequest:
        return False
    return True


def takes_any_name(asked: bytes, node: str) -> object:
    """The mutant: looks at the key and not at the name."""
    from cryptography import x509

    return x509.load_pem_x509_csr(asked).public_key()


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_request_for_another_name_is_refused(tmp_path: Path, subject: str) -> None:
    asked = request(tmp_path, subject)
    assert not signed(make.read_request, asked)
    assert signed(takes_any_name, asked), "the mutant is seen"


@pytest.mark.parametrize(
    "key",
    [
        ("-newkey", "rsa:2048"),
        ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"),
        ("-newkey", "ed25519"),
    ],
)
def test_a_request_with_another_kind_of_key_is_refused(tmp_path: Path, key: tuple[str, ...]) -> None:
    assert not signed(make.read_request, request(tmp_path, f"/CN={NODE}", key=key))


def test_a_request_that_its_key_did_not_sign_is_refused(tmp_path: Path) -> None:
    import base64

    asked = request(tmp_path, f"/CN={NODE}")
    der = bytearray(base64.b64decode(b"".join(asked.splitlines()[1:-1])))
    der[-1] ^= 1
    body = base64.encodebytes(bytes(der))
    spoiled = b"-----BEGIN CERTIFICATE REQUEST-----\n" + body + b"-----END CERTIFICATE REQUEST-----\n"
    assert not signed(make.read_request, spoiled)
    for nonsense in (b"", b"hello", asked[:100], b"\xff" * 500):
        assert not signed(make.read_request, nonsense)


def test_the_roots_key_leaves_the_hub_sealed_and_nodes_are_still_enrolled(
    authority: Authority, tmp_path: Path
) -> None:
    authority.export_root(tmp_path / "safe.key", b"kunci brankas")
    assert not authority.root_is_here
    assert stat.S_IMODE((tmp_path / "safe.key").stat().st_mode) == 0o600
    status, said = openssl("pkey", "-in", tmp_path / "safe.key", "-passin", "pass:wrong", "-noout")
    assert status != 0, said
    status, said = openssl("pkey", "-in", tmp_path / "safe.key", "-passin", "pass:kunci brankas", "-pubout")
    assert (status, "BEGIN PUBLIC KEY" in said) == (0, True)
    again = Authority(tmp_path / "authority")
    assert again.issue_node(NODE, make.new_key().public_key(), NOW).serial
    with pytest.raises(RootGone, match="exported before"):
        again.export_root(tmp_path / "other.key", b"kunci brankas")


def test_nothing_is_overwritten_by_an_export(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "safe.key").write_text("something else")
    with pytest.raises(FileExistsError):
        authority.export_root(tmp_path / "safe.key", b"kunci brankas")
    assert authority.root_is_here
