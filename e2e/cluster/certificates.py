"""One certificate that is its own authority: it serves TLS, signs tokens and opens kubelets, in this cluster only."""

import subprocess
from pathlib import Path

from e2e.cluster.places import API_SERVICE_ADDRESS, NAME, NODE_ADDRESS, RUN

CERTIFICATE, KEY = RUN / "tls.crt", RUN / "tls.key"

_NAMES = (
    f"IP:{NODE_ADDRESS}",
    f"IP:{API_SERVICE_ADDRESS}",
    f"DNS:{NAME}",
    *(f"DNS:kubernetes{rest}" for rest in ("", ".default", ".default.svc", ".default.svc.cluster.local")),
)


def make_certificate() -> tuple[Path, Path]:
    """The certificate and its key, good for a week."""
    extensions = (
        f"subjectAltName={','.join(_NAMES)}",
        "keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign",
        "extendedKeyUsage=serverAuth,clientAuth",
    )
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 7"
    subprocess.run(
        [
            *command.split(),
            *("-subj", f"/O=system:masters/CN={NAME}"),
            *(word for extension in extensions for word in ("-addext", extension)),
            *("-out", CERTIFICATE, "-keyout", KEY),
        ],
        check=True,
        capture_output=True,
    )
    return CERTIFICATE, KEY
