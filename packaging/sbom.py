#!/usr/bin/env python3
"""The software bill of materials of a release, in CycloneDX's JSON: sbom.py VERSION TARBALL > metal-llm.cdx.json

What the programs are linked with is asked of pkg-config, so its versions are those of the machine that builds.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import uuid

# Of each library: its name for pkg-config and its licence (SPDX).
LIBRARIES = [
    ("libcjson", "MIT"),
    ("libpcre2-8", "BSD-3-Clause"),
    ("libutf8proc", "MIT"),
    ("libmicrohttpd", "LGPL-2.1-or-later"),
    ("libdw", "LGPL-3.0-or-later OR GPL-2.0-or-later"),
    ("libseccomp", "LGPL-2.1-only"),
    ("openblas", "BSD-3-Clause"),
]


def installed(name: str) -> str | None:
    """Its version, None where it is not."""
    done = subprocess.run(["pkg-config", "--modversion", name], capture_output=True, text=True)
    return done.stdout.strip() or None


def component(name: str, licence: str, version: str) -> dict:
    """A library that the programs are linked with."""
    purl = f"pkg:generic/{name}@{version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "licenses": [{"expression": licence}],
        "purl": purl,
    }


def bill(version: str, tarball: pathlib.Path) -> dict:
    """Nothing in it depends on when or where it is made, but for the libraries that are installed."""
    digest = hashlib.sha256(tarball.read_bytes()).hexdigest()
    found = [(name, licence, installed(name)) for name, licence in LIBRARIES]
    libraries = [component(name, licence, version) for name, licence, version in found if version]
    itself = f"pkg:generic/metal-llm@{version}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, digest)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": itself,
                "name": "metal-llm",
                "version": version,
                "licenses": [{"expression": "MIT"}],
                "purl": itself,
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }
        },
        "components": libraries,
        "dependencies": [{"ref": itself, "dependsOn": [library["bom-ref"] for library in libraries]}],
    }


if __name__ == "__main__":
    json.dump(bill(sys.argv[1], pathlib.Path(sys.argv[2])), sys.stdout, indent=2)
    print()
